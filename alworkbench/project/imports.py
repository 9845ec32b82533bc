"""The images of a project: imported with their labels, and shown as the model saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from alworkbench.core.domain import (
    AnswerKind,
    ClassList,
    FoundImage,
    Image,
    ImportSummary,
    ProjectFolder,
    QuarantinedFile,
    Role,
)
from alworkbench.core.errors import (
    ContradictingLabels,
    UnknownClass,
    UnknownImage,
    UnreadableSource,
)
from alworkbench.core.ports import Writer
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.contradictions import Said, contradictions
from alworkbench.inputs.picture import DisplayImage, Undecodable, content_hash, display, read_bytes
from alworkbench.inputs.sources import read_source
from alworkbench.project.artifacts import resolve
from alworkbench.project.given_labels import GivenLabel, record_changes
from alworkbench.project.session import Session, stored_id

CHUNK = 2000
"""Images that are stored in one transaction: an answer never waits for longer than that takes."""

AUDIT_SPLITS = ("test", "audit")
"""Values of a manifest's column `split` that make an image one of the audit set."""


class Images:
    """Imports images and shows them.

    A source is read and checked to its end before anything of it is stored. A process that is killed while
    it stores may leave images without their labels; the same call completes them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, image_id: int) -> Image:
        """The image with this id. Raises UnknownImage."""
        with self._session.store.read() as reader:
            return reader.images.get(image_id)

    def display(self, content: str) -> DisplayImage:
        """The picture with this content hash as a browser can show it: the pixels that the model saw.

        Raises UnknownImage, or UnreadableSource where the file is gone or was changed.
        """
        with self._session.store.read() as reader:
            image = reader.images.by_hash(content)
        if image is None:
            raise UnknownImage(content)
        problems = []
        for path in reversed(image.paths):
            file = resolve(self._session.folder, path)
            try:
                data = read_bytes(file)
            except Undecodable as error:
                problems.append(f"{file}: {error.detail}")
                continue
            if content_hash(data) == content:
                return display(data)
            problems.append(f"{file}: its content is not what was imported")
        raise UnreadableSource(
            f"The image {content[:12]} cannot be shown: {'; '.join(problems)}. Bring the file "
            f"back, or import it from where it is now: `alworkbench import FOLDER`."
        )

    def add(
        self,
        location: Path,
        *,
        role: Role = Role.POOL,
        pool_labels: bool = False,
        progress: Progress = silent,
    ) -> ImportSummary:
        """Import the images of a folder, CSV manifest or archive: all that can be read, or none.

        Rows of a manifest whose `split` is test or audit go to the audit set, whatever `role` is.
        Labels of the source are recorded for the audit set, and with `pool_labels` for the pool; one that
        counts already is not recorded again. Raises UnreadableSource, NothingToImport, UnknownClass, and
        ContradictingLabels where copies of one picture have different labels or roles.
        """
        folder, store = self._session.folder, self._session.store
        wants_labels = pool_labels or role is Role.AUDIT
        source = read_source(location, into=folder.images, labelled=wants_labels, progress=progress)
        found: dict[Role, list[FoundImage]] = {Role.POOL: [], Role.AUDIT: []}
        refused: list[QuarantinedFile] = []
        for entry in source.read(progress=progress):
            if isinstance(entry, QuarantinedFile):
                refused.append(entry)
            else:
                found[Role.AUDIT if entry.split in AUDIT_SPLITS else role].append(entry)
        labelled = {
            own: images if pool_labels or own is Role.AUDIT else [] for own, images in found.items()
        }
        given = [
            (own, image.hash, image.class_name)
            for own, images in labelled.items()
            for image in images
            if image.class_name is not None
        ]
        classes = self._session.classes()
        for _, _, name in given:
            if classes.with_name(name) is None:
                raise UnknownClass(name, classes.names, str(location))
        _refuse_contradictions(location, found, labelled)
        root = _portable(folder, source.root)
        total = ImportSummary(0, 0, 0, 0)
        for own, images in found.items():
            for chunk in _chunks(images, CHUNK):
                with store.write() as writer:
                    total = _sum(total, writer.images.add(chunk, [], root=root, role=own))
        with store.write() as writer:
            total = _sum(total, writer.images.add([], refused, root=root, role=role))
            recorded = self._record_labels(writer, classes, given)
        return replace(total, labelled=recorded)

    def _record_labels(
        self, writer: Writer, classes: ClassList, given: Sequence[tuple[Role, str, str]]
    ) -> int:
        """Record (role, content hash, class name); returns how many changed what counts."""
        image_of = {
            role: {content: image for image, content in writer.images.ids_and_hashes(role)}
            for role in Role
        }
        labels = [
            GivenLabel(image_of[role][content], AnswerKind.CLASS, class_id(classes, name))
            for role, content, name in given
            # An image that an earlier import put into the other set stays there, without this label.
            if content in image_of[role]
        ]
        return record_changes(
            writer, labels, annotator="manifest", source="manifest", now=self._session.now()
        )


def _refuse_contradictions(
    location: Path,
    found: Mapping[Role, Sequence[FoundImage]],
    labelled: Mapping[Role, Sequence[FoundImage]],
) -> None:
    """Raises ContradictingLabels where copies of one picture have different roles or different classes."""
    roles = (Said(f.hash, role.value, f.path) for role, images in found.items() for f in images)
    if both := contradictions(roles):
        raise ContradictingLabels(location, both, "roles")
    refuse_different_classes(location, (f for images in labelled.values() for f in images))


def refuse_different_classes(location: object, images: Iterable[FoundImage]) -> None:
    """Raises ContradictingLabels where copies of one picture come with different classes."""
    said = (Said(f.hash, f.class_name, f.path) for f in images if f.class_name is not None)
    if found := contradictions(said):
        raise ContradictingLabels(location, found)


def class_id(classes: ClassList, name: str) -> int:
    """The stored id of the class with this name. Raises ValueError where it was never stored."""
    found = classes.with_name(name)
    return stored_id(found.id if found else None)


def _portable(folder: ProjectFolder, root: Path) -> str:
    """Relative to the project if inside it, so that the project can be moved; else absolute."""
    absolute, project = root.resolve(), folder.path.resolve()
    if absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.as_posix()


def _sum(one: ImportSummary, other: ImportSummary) -> ImportSummary:
    return ImportSummary(
        one.files + other.files,
        one.new + other.new,
        one.known + other.known,
        one.duplicates + other.duplicates,
        (*one.quarantined, *other.quarantined),
    )


def _chunks(images: Iterable[FoundImage], size: int) -> Iterator[list[FoundImage]]:
    iterator = iter(images)
    while chunk := list(islice(iterator, size)):
        yield chunk
