"""Rows of a label file as labels for images of a project: every row is understood, or the file is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alworkbench.core.domain import AnswerKind, LabelClass, Role, RoleMismatch
from alworkbench.core.errors import (
    ContradictingLabels,
    DifferentRoles,
    InvalidLabelFile,
    UnknownClass,
)
from alworkbench.core.ports import Reader
from alworkbench.inputs.contradictions import Said, contradictions
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.project.given_labels import GivenLabel
from alworkbench.project.session import stored_id


@dataclass(frozen=True, slots=True)
class GivenByFile:
    """What a label file says about images of the project."""

    labels: list[GivenLabel]
    """In the order of the rows."""
    moves: dict[Role, list[int]]
    """Role -> images that shall take it."""
    left_out: int
    """Rows that are left out because of their role."""


def given_by_rows(
    reader: Reader, rows: Sequence[LabelRow], path: Path, roles: RoleMismatch
) -> GivenByFile:
    """What the rows say; `roles` says what to do where a row gives an image another role.

    Raises InvalidLabelFile for an image that the project does not have, UnknownClass, DifferentRoles, and
    ContradictingLabels where two rows say different things about one image.
    """
    classes = reader.classes.current()
    with_name = cache(classes.ever_with_name)  # a file names few classes in many rows
    find = ImageFinder(reader)
    role_of = find.roles() if any(row.role is not None for row in rows) else {}
    labels: list[GivenLabel] = []
    moves: dict[Role, list[int]] = {role: [] for role in Role}
    said, said_roles, different, left_out = [], [], [], 0
    for row in rows:
        image_id = find.image_id(row)
        if image_id is None:
            raise InvalidLabelFile(
                f"{path}, {row.where}: the image {(row.image or row.hash)[:300]!r} is not in this project, "
                f"or several images of it could be meant. Import it first (`alworkbench import`), or name "
                f"it by its path or content hash. Nothing was recorded."
            )
        named = (
            None
            if row.kind is not AnswerKind.CLASS
            else _class_named(row, path, with_name, classes.names)
        )
        label = GivenLabel(image_id, row.kind, None if named is None else stored_id(named.id))
        said.append(Said(image_id, named.name if named else f"kind {row.kind}", row.where))
        if row.role is not None:
            said_roles.append(Said(image_id, row.role.value, row.where))
        if row.role is not None and row.role is not role_of[image_id]:
            different.append(
                f"{row.image or row.hash} ({row.where}: {row.role}, here {role_of[image_id]})"
            )
            moves[row.role].append(image_id)
            if roles is RoleMismatch.LEAVE_OUT:
                left_out += 1
                continue
        labels.append(label)
    if found := contradictions(said):
        raise ContradictingLabels(path, found)
    if found := contradictions(said_roles):
        raise ContradictingLabels(path, found, "roles")
    if different and roles is RoleMismatch.REFUSE:
        raise DifferentRoles(path, different)
    return GivenByFile(labels, moves if roles is RoleMismatch.CHANGE else {}, left_out)


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

    def roles(self) -> dict[int, Role]:
        """Image id -> its role, of every image of the project."""
        return {
            image_id: role
            for role in Role
            for image_id, _ in self._reader.images.ids_and_hashes(role)
        }


def _is_hash(name: str) -> bool:
    return len(name.strip()) == 64


def _class_named(
    row: LabelRow, path: Path, with_name: Callable[[str], LabelClass | None], names: Iterable[str]
) -> LabelClass:
    """The class that a row names; blanks around the name are tried as they are first. Raises UnknownClass."""
    found = with_name(row.label) or with_name(row.label.strip())
    if found is None:
        raise UnknownClass(row.label.strip(), names, f"{path}, {row.where},")
    return found
