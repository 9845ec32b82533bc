"""A folder of images, a manifest or an archive as data for simulations, kept as a project in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from alworkbench.core.atomic_files import atomic_folder
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
    refuse_twins,
)
from alworkbench.core.errors import (
    InvalidPlan,
    NothingToImport,
    ProjectMissing,
    UnreadableSource,
)
from alworkbench.core.ports import Store, Writer
from alworkbench.core.progress import Progress
from alworkbench.inputs.archives import is_archive
from alworkbench.inputs.sources import read_source
from alworkbench.project.import_plan import AUDIT_SPLITS, refuse_different_classes
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.project_data import check_enough, data_of_project, own_labels
from alworkbench.simulation.run import EPOCH

TEST_SHARE = 0.3
"""Share of each class that becomes the test part where none is given."""


def data_of_images(
    images: Path, test: Path | None, encoder: str, context: LoadContext
) -> SimulationData:
    """Images with classes; the test part is `test`, or else a share of each class.

    `images` and `test` are folders with a folder for each class, manifests or archives. Images and
    features are kept as a project in the cache and read once; changed files or another encoder make
    another project. Raises NothingToImport without labels, InvalidPlan if an image is in both parts, and
    ContradictingLabels if copies of an image have different classes.
    """
    folder = folder_of_images(images, test, encoder, context.cache)
    try:
        store = context.stores.open(folder.path)
    except ProjectMissing:
        store = _import_images(images, test, encoder, folder, context)
    try:
        workbench = Workbench(folder, store, device=context.device)
        check_enough(own_labels(workbench))  # before the images are encoded, which takes long
        status = workbench.status()
        if status.encoded < status.pool_images + status.audit_images:
            workbench.features.encode(progress=context.progress)
        if not workbench.status().has_posterior:
            workbench.posteriors.fit_from_pool(progress=context.progress)
        return data_of_project(workbench, None)
    finally:
        store.close()


def folder_of_images(images: Path, test: Path | None, encoder: str, cache: Path) -> ProjectFolder:
    """The project folder in the cache for these images; it need not exist yet.

    Its name changes when a file changes. Raises UnreadableSource if a path does not exist.
    """
    key = _key_of_files([images, *([] if test is None else [test])], encoder)
    return ProjectFolder(cache / "images" / key)


def _import_images(
    images: Path, test: Path | None, encoder: str, folder: ProjectFolder, context: LoadContext
) -> Store:
    """Make the project with images, roles and labels. The folder appears whole or not at all."""
    root, found = _labelled(images, folder, context.progress)
    roots = dict.fromkeys(Role, root)
    if test is not None:
        roots[Role.AUDIT], audit_images = _labelled(test, folder, context.progress)
        parts = {Role.POOL: found, Role.AUDIT: audit_images}
    else:
        parts = _split(found)
    _refuse_shared(parts, images)
    names = sorted({str(f.class_name) for part in parts.values() for f in part})
    refuse_twins(names)
    classes = ClassList(tuple(LabelClass(name) for name in names))
    settings = ProjectSettings(images.resolve().name, encoder)
    # Made under another name first: an interrupted import must not look like a whole project.
    with atomic_folder(folder.path) as draft:
        store = context.stores.create(draft, settings, classes, utc_now())
        try:
            with store.write() as writer:
                for role, part in parts.items():
                    _add_part(writer, role, part, roots[role])
        finally:
            store.close()
    return context.stores.open(folder.path)


def _refuse_shared(parts: dict[Role, list[FoundImage]], images: Path) -> None:
    """Raises InvalidPlan if an image is both in the pool and in the test part."""
    pool, audit = ({f.hash for f in parts[role]} for role in (Role.POOL, Role.AUDIT))
    if both := pool & audit:
        place = next(f.path for f in parts[Role.AUDIT] if f.hash in both)
        raise InvalidPlan(
            f"{len(both)} images stand both in the pool and in the test part of {images}, such as "
            f"{place}. What is measured on must not be learned from: remove them from one of the two."
        )


def _add_part(writer: Writer, role: Role, part: list[FoundImage], root: Path) -> None:
    """Add the images of one role with their classes as labels."""
    ids = {c.name: c.id for c in writer.classes.current().classes}
    writer.images.add(part, [], root=str(root), role=role)
    image_of = {content: n for n, content in writer.images.ids_and_hashes(role)}
    answers = {
        f.hash: Answer(
            event_id=f"folder-{f.hash}",
            image_id=image_of[f.hash],
            kind=AnswerKind.CLASS,
            annotator="folder",
            class_id=ids[str(f.class_name)],
            source="manifest",
        )
        for f in part
    }
    writer.labels.add_many(list(answers.values()), EPOCH)


def _labelled(
    location: Path, folder: ProjectFolder, progress: Progress
) -> tuple[Path, list[FoundImage]]:
    """The images of a source that have a class, and the folder that their paths are relative to."""
    unpacked = folder.path.with_name(f"{folder.path.name}.unpacked")
    source = read_source(location, into=unpacked, labelled=True, progress=progress)
    found = [entry for entry in source.read(progress=progress) if isinstance(entry, FoundImage)]
    known = [image for image in found if image.class_name is not None]
    refuse_different_classes(location, known)
    if not known:
        raise NothingToImport(
            f"No image of {location} has a class. Put the images into a folder for each class, or give "
            f"a manifest.csv with the columns path and label."
        )
    return source.root.resolve(), known


def _split(found: Iterable[FoundImage]) -> dict[Role, list[FoundImage]]:
    """Pool and test part: as the manifest says, or else a share of each class with the lowest hashes."""
    parts: dict[Role, list[FoundImage]] = {Role.POOL: [], Role.AUDIT: []}
    by_class: dict[str, dict[str, list[FoundImage]]] = {}
    for image in found:
        parts[Role.AUDIT if image.split in AUDIT_SPLITS else Role.POOL].append(image)
        by_class.setdefault(str(image.class_name), {}).setdefault(image.hash, []).append(image)
    if parts[Role.AUDIT]:
        return parts
    parts = {Role.POOL: [], Role.AUDIT: []}
    for contents in by_class.values():
        apart = round(TEST_SHARE * len(contents))
        for rank, content in enumerate(sorted(contents)):
            parts[Role.AUDIT if rank < apart else Role.POOL] += contents[content]
    return parts


def _key_of_files(locations: Iterable[Path], encoder: str) -> str:
    """Hash of path, size and time of every file: cheap to compute, and different when a file changes."""
    digest = hashlib.sha256(encoder.encode())
    for location in locations:
        if not location.exists():
            raise UnreadableSource(
                f"There is nothing at {location}. Give a folder with a folder for each class, a "
                f"manifest.csv, or an archive."
            )
        manifest = location.is_file() and not is_archive(location)
        place = location.parent if manifest else location
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        digest.update(f"\n{location.resolve()}\n".encode())
        for file in files:
            if file.is_file():
                stat = file.stat()
                digest.update(
                    json.dumps([str(file), stat.st_size, stat.st_mtime_ns]).encode() + b"\n"
                )
    return digest.hexdigest()[:16]
