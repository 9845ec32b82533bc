"""Taking things into a project: images with their labels, features, and labels from a file.

Each function is one use of the service (`Workbench` offers them as methods). Long work streams: what
was done when it is interrupted stays done, and the same call goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import torch

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    EncoderRecord,
    FoundImage,
    Image,
    ImportSummary,
    ProjectFolder,
    QuarantinedFile,
    Role,
)
from alworkbench.core.errors import EncoderMismatch, InvalidLabelFile, NothingToImport, UnknownClass
from alworkbench.core.ports import Reader, Store
from alworkbench.core.progress import Progress
from alworkbench.encoders.base import Encoder
from alworkbench.features.encode import encode_images
from alworkbench.features.entry import Entry
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.label_files import read_labels
from alworkbench.inputs.sources import read_source
from alworkbench.project.artifacts import resolve

Read = FoundImage | QuarantinedFile

CHUNK = 2000
"""Images that are stored in one transaction: a label never waits for longer than that takes."""

AUDIT_SPLITS = ("test", "audit")
"""Values of a manifest's column `split` that make an image one of the audit set."""


@dataclass(frozen=True, slots=True)
class FeaturesSummary:
    """What an import of features changed."""

    encoder_id: str
    encoded: int
    known: int
    """Images that had features before."""
    quarantined: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """What an import of labels changed."""

    recorded: int
    known: int
    """Rows that were recorded before, from the same answer of the same annotator."""


# ------------------------------------------------------------------------------------------ images


def import_images(
    folder: ProjectFolder,
    store: Store,
    location: Path,
    *,
    role: Role,
    pool_labels: bool,
    now: Callable[[], datetime],
    progress: Progress,
) -> ImportSummary:
    """Read a folder, manifest or archive into the store; see `Workbench.import_images`."""
    with store.read() as reader:
        classes = reader.classes.current()
    wants_labels = pool_labels or role is Role.AUDIT
    source = read_source(location, into=folder.images, labelled=wants_labels, progress=progress)
    root = _portable(folder, source.root)
    total = ImportSummary(0, 0, 0, 0)
    labels: list[tuple[str, Role, str]] = []
    for chunk in _chunks(source.read(progress=progress), CHUNK):
        found = {Role.POOL: [], Role.AUDIT: []}  # type: dict[Role, list[FoundImage]]
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
                    total = _added(total, done)
    recorded = _record_labels(store, classes, labels, now())
    return ImportSummary(
        total.files, total.new, total.known, total.duplicates, total.quarantined, recorded
    )


def _record_labels(
    store: Store, classes: ClassList, labels: Sequence[tuple[str, Role, str]], now: datetime
) -> int:
    """Labels that came with the files, once each; how many were new. In one transaction."""
    if not labels:
        return 0
    with store.write() as writer:
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
                class_id=_class_id(classes, name),
                source="manifest",
            )
            for content, role, name in labels
            # A picture that another import put into the other set stays there, without this label.
            if content in image_of[role]
        ]
        writer.labels.add_many(answers, now)
        return writer.labels.count() - before


def _portable(folder: ProjectFolder, root: Path) -> str:
    """Relative to the project if inside it, so that the project can be moved; else absolute."""
    absolute, project = root.resolve(), folder.path.resolve()
    if absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.as_posix()


def _added(one: ImportSummary, other: ImportSummary) -> ImportSummary:
    return ImportSummary(
        one.files + other.files,
        one.new + other.new,
        one.known + other.known,
        one.duplicates + other.duplicates,
        (*one.quarantined, *other.quarantined),
    )


def _chunks(entries: Iterable[Read], size: int) -> Iterator[list[Read]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, size)):
        yield chunk


# ---------------------------------------------------------------------------------------- features


def encode(
    folder: ProjectFolder,
    store: Store,
    encoder: Encoder,
    *,
    workers: int | None,
    batch_size: int,
    progress: Progress,
) -> FeaturesSummary:
    """Features of every image that has none, and of the prompts of the class list."""
    started = time.perf_counter()
    with store.read() as reader:
        known = reader.computed.encoder()
        classes = reader.classes.current()
        images = _paths(folder, reader)
    if known is not None and known.id != encoder.id:
        raise EncoderMismatch("The project's features", known.id, encoder.id)
    record = EncoderRecord(encoder.id, encoder.spec)
    features = FeatureStore(folder.features / encoder.id)
    features.describe(record, encoder.head, {"device": str(encoder.head.image_projection.device)})
    encode_names(folder, encoder, classes)
    done = encode_images(
        encoder, images, features, workers=workers, batch_size=batch_size, progress=progress
    )
    with store.write() as writer:
        writer.computed.set_encoder(record)
    seconds = time.perf_counter() - started
    return FeaturesSummary(encoder.id, done.encoded, done.known, done.quarantined, seconds)


def encode_names(folder: ProjectFolder, encoder: Encoder, classes: ClassList) -> None:
    """Text activations of the prompts of a class list that have none yet."""
    features = FeatureStore(folder.features / encoder.id)
    prompts = [prompt for c in classes.classes for prompt in c.prompts]
    if missing := features.missing_prompts(prompts):
        features.add_prompts(missing, encoder.encode_prompts(missing))


def _paths(folder: ProjectFolder, reader: Reader) -> list[tuple[str, Path]]:
    """(content hash, a place of the file) of every image."""
    return [
        (content, resolve(folder, path))
        for role in Role
        for content, path in reader.images.hashes_and_paths(role)
    ]


def take_features(
    folder: ProjectFolder, store: Store, file: FeatureFile, name: str, progress: Progress
) -> FeaturesSummary:
    """Features of the project's images from a features file, matched by content hash or path.

    Raises UnknownClass when the file lacks a class of the project, NothingToImport when it has none
    of its images, EncoderMismatch when the project has features of another encoder.
    """
    started = time.perf_counter()
    with store.read() as reader:
        known = reader.computed.encoder()
        classes = reader.classes.current()
        hash_of = {}
        for row, place in enumerate(file.hashes or file.paths or ()):
            image = reader.images.by_hash(place) if file.hashes else reader.images.by_path(place)
            if image is not None:
                hash_of[row] = image.hash
            progress("matching features with images", row + 1, len(file.features))
    if known is not None and known.id != file.encoder_id:
        raise EncoderMismatch("The project's features", known.id, file.encoder_id)
    if not hash_of:
        raise NothingToImport(
            f"None of the {len(file.features)} images of {name} is in this project. Import them first "
            f"(`alworkbench import FOLDER`); they are matched by content hash, or by path."
        )
    record = EncoderRecord(file.encoder_id, file.spec)
    features = FeatureStore(folder.features / file.encoder_id)
    features.describe(record, file.head, {"file": name})
    for label in classes.classes:
        if label.name not in file.class_names:
            raise UnknownClass(label.name, file.class_names, "The project's class list")
        # The file's prompts stand in for all of the project's: one effective activation a class.
        own = file.class_activations[file.class_names.index(label.name)]
        features.add_prompts(label.prompts, own.expand(len(label.prompts), -1))
    settled = features.settled()
    rows = [row for row, content in hash_of.items() if content not in settled]
    with features.writer(dtype=file.features.activations.dtype) as writer:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            entries = [Entry(hash_of[row], (file.paths or file.hashes or ())[row]) for row in part]
            writer.add(entries, file.features[torch.tensor(part)])
    with store.write() as committed:
        committed.computed.set_encoder(record)
    seconds = time.perf_counter() - started
    return FeaturesSummary(file.encoder_id, len(rows), len(hash_of) - len(rows), 0, seconds)


# ------------------------------------------------------------------------------------------ labels


def import_labels(store: Store, path: Path, annotator: str, now: datetime) -> LabelSummary:
    """Record the labels of a CSV; all rows, or none.

    Raises UnknownClass for a class that the project does not have, InvalidLabelFile for an image
    that it does not have. The same row of the same annotator is recorded once, however often the
    file is read.
    """
    with store.write() as writer:
        classes = writer.classes.current()
        before = writer.labels.count()
        answers = []
        for row in read_labels(path):
            if not row.label:
                continue
            image = _image_named(writer, row.image)
            if image is None:
                raise InvalidLabelFile(
                    f"Line {row.line} of {path} names the image {row.image!r}, which is not in this "
                    f"project. Import it first (`alworkbench import`), or name it by its path or "
                    f"content hash. Nothing was recorded."
                )
            if classes.with_name(row.label) is None:
                raise UnknownClass(row.label, classes.names, f"Line {row.line} of {path}")
            answers.append(
                Answer(
                    event_id=f"csv:{annotator}:{image.hash}:{row.label}",
                    image_id=image.id,
                    kind=AnswerKind.CLASS,
                    annotator=annotator,
                    class_id=_class_id(classes, row.label),
                    source="csv",
                )
            )
        if not answers:
            raise NothingToImport(
                f"{path} holds no labels: every row is empty. Fill the column label."
            )
        writer.labels.add_many(answers, now)
        recorded = writer.labels.count() - before
    return LabelSummary(recorded, len(answers) - recorded)


def _image_named(reader: Reader, name: str) -> Image | None:
    if len(name) == 64 and (found := reader.images.by_hash(name)):
        return found
    return reader.images.by_path(name)


def _class_id(classes: ClassList, name: str) -> int:
    found = classes.with_name(name)
    if found is None or found.id is None:
        raise ValueError(f"the class {name!r} was never stored")
    return found.id
