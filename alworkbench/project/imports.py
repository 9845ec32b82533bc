"""The images of a project: imported with their labels, and shown as the model saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    Image,
    ImportSummary,
    ProjectFolder,
    QuarantinedFile,
    Role,
)
from alworkbench.core.errors import UnknownClass, UnknownImage, UnreadableSource
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.picture import DisplayImage, Undecodable, content_hash, display, read_bytes
from alworkbench.inputs.sources import read_source
from alworkbench.project.artifacts import resolve
from alworkbench.project.session import Session, stored_id

CHUNK = 2000
"""Images that are stored in one transaction: a label never waits for longer than that takes."""

AUDIT_SPLITS = ("test", "audit")
"""Values of a manifest's column `split` that make an image one of the audit set."""


class Images:
    """Imports images and shows them. An interrupted import keeps its images; the same call goes on."""

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
        """Import the images of a folder, CSV manifest or archive.

        Rows of a manifest whose `split` is test or audit go to the audit set, whatever `role` is.
        Labels of the source are recorded for the audit set, and with `pool_labels` for the pool.
        Raises UnreadableSource, NothingToImport, UnknownClass.
        """
        folder, store = self._session.folder, self._session.store
        classes = self._session.classes()
        wants_labels = pool_labels or role is Role.AUDIT
        source = read_source(location, into=folder.images, labelled=wants_labels, progress=progress)
        root = _portable(folder, source.root)
        total = ImportSummary(0, 0, 0, 0)
        labels: list[tuple[str, Role, str]] = []
        for chunk in _chunks(source.read(progress=progress), CHUNK):
            found: dict[Role, list[FoundImage]] = {Role.POOL: [], Role.AUDIT: []}
            for entry in chunk:
                if isinstance(entry, FoundImage):
                    own = Role.AUDIT if entry.split in AUDIT_SPLITS else role
                    found[own].append(entry)
                    if entry.class_name is not None and (pool_labels or own is Role.AUDIT):
                        if classes.with_name(entry.class_name) is None:
                            raise UnknownClass(entry.class_name, classes.names, str(location))
                        labels.append((entry.hash, own, entry.class_name))
            refused = [entry for entry in chunk if isinstance(entry, QuarantinedFile)]
            with store.write() as writer:
                for own, images in found.items():
                    bad = refused if own is role else []
                    if images or bad:
                        done = writer.images.add(images, bad, root=root, role=own)
                        total = _sum(total, done)
        recorded = self._record_labels(classes, labels)
        return ImportSummary(
            total.files, total.new, total.known, total.duplicates, total.quarantined, recorded
        )

    def _record_labels(self, classes: ClassList, labels: Sequence[tuple[str, Role, str]]) -> int:
        """Record (content hash, role, class name) in one transaction; returns how many were new."""
        if not labels:
            return 0
        with self._session.store.write() as writer:
            image_of = {
                role: {content: image for image, content in writer.images.ids_and_hashes(role)}
                for role in Role
            }
            before = writer.labels.count()
            answers = [
                Answer(
                    event_id=f"manifest:{content}:{name}",
                    image_id=image_of[role][content],
                    kind=AnswerKind.CLASS,
                    annotator="manifest",
                    class_id=class_id(classes, name),
                    source="manifest",
                )
                for content, role, name in labels
                # An image that an earlier import put into the other set stays there, without this label.
                if content in image_of[role]
            ]
            writer.labels.add_many(answers, self._session.now())
            return writer.labels.count() - before


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


def _chunks(
    entries: Iterable[FoundImage | QuarantinedFile], size: int
) -> Iterator[list[FoundImage | QuarantinedFile]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, size)):
        yield chunk
