"""Rows of a label file as labels for images of a project: every row is understood, or the file is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alworkbench.core.domain import AnswerKind, ClassList, LabelClass, Role
from alworkbench.core.errors import ContradictingLabels, InvalidLabelFile, UnknownClass
from alworkbench.core.ports import Reader
from alworkbench.inputs.contradictions import Said, contradictions
from alworkbench.inputs.label_files import LabelRow
from alworkbench.project.given_labels import GivenLabel
from alworkbench.project.session import stored_id


def given_by_rows(reader: Reader, rows: Iterable[LabelRow], path: Path) -> list[GivenLabel]:
    """What the rows say about images of the project, in their order.

    Raises InvalidLabelFile for an image that the project does not have, UnknownClass, and
    ContradictingLabels where two rows say different things about one image.
    """
    classes = reader.classes.current()
    find = ImageFinder(reader)
    given, said = [], []
    for row in rows:
        image_id = find.image_id(row)
        if image_id is None:
            raise InvalidLabelFile(
                f"Line {row.line} of {path} names the image {(row.image or row.hash)[:300]!r}, which is not "
                f"in this project, or which several images of it could be. Import it first "
                f"(`alworkbench import`), or name it by its path or content hash. Nothing was recorded."
            )
        named = _class_named(classes, row, path)
        given.append(GivenLabel(image_id, row.kind, None if named is None else stored_id(named.id)))
        said.append(Said(image_id, named.name if named else f"kind {row.kind}", f"line {row.line}"))
    if found := contradictions(said):
        raise ContradictingLabels(path, found)
    return given


class ImageFinder:
    """Finds the images that rows name. One query reads all content hashes, the first time one is needed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._by_hash: dict[str, int] | None = None

    def image_id(self, row: LabelRow) -> int | None:
        """The image with the hash of the row, or without a hash the one that it names; None for none.

        A path does not stand in for an unknown hash: the file there may hold another picture.
        """
        content = row.hash or (row.image.strip().lower() if _is_hash(row.image) else "")
        if content:
            found = self._hashes().get(content)
            if found is not None or row.hash:
                return found
        named = self._reader.images.by_path(row.image) or self._reader.images.by_path(
            row.image.strip()
        )
        return None if named is None else named.id

    def _hashes(self) -> dict[str, int]:
        if self._by_hash is None:
            self._by_hash = {
                content: image_id
                for role in Role
                for image_id, content in self._reader.images.ids_and_hashes(role)
            }
        return self._by_hash


def _is_hash(name: str) -> bool:
    return len(name.strip()) == 64


def _class_named(classes: ClassList, row: LabelRow, path: Path) -> LabelClass | None:
    """The class that a row names; blanks around the name are tried as they are first. None for no class."""
    if row.kind is not AnswerKind.CLASS:
        return None
    found = classes.with_name(row.label) or classes.with_name(row.label.strip())
    if found is None:
        raise UnknownClass(row.label.strip(), classes.names, f"Line {row.line} of {path}")
    return found
