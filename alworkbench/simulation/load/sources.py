"""Where a simulation's data come from: a project, a folder of images, or a labelled features file.

(Collections that come with the program are in `suites`.)
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.core.domain import (
    NO_CLASS,
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.core.errors import (
    InvalidFeatureFile,
    InvalidPlan,
    NothingToImport,
    ProjectMissing,
    UnreadableSource,
)
from alworkbench.core.ports import Store
from alworkbench.core.progress import Progress
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.table import FeatureTable
from alworkbench.inputs.archives import is_archive
from alworkbench.inputs.manifests import read_manifest
from alworkbench.inputs.sources import read_source
from alworkbench.posterior.fit_pairs import PAIR_BATCH, posterior_of_pairs
from alworkbench.posterior.fit_pool import fit_from_pool
from alworkbench.posterior.kronecker import Posterior
from alworkbench.project.imports import AUDIT_SPLITS
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import LabelledPictures, SimulationData, join
from alworkbench.simulation.run import EPOCH, OpenStore

LEAST_TRUTH = 20
"""Labelled images that either part needs before a replay says anything."""
TEST_SHARE = 0.3
"""Of each class, where a folder of images comes without a test part."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores that simulations need. Whoever joins the parts brings them; here none is known."""

    memory: OpenStore
    """An empty one that lasts as long as a run; a function that another process can import."""
    open: Callable[[Path], Store]
    """That of the project in a folder. Raises ProjectMissing."""
    create: Callable[[Path, ProjectSettings, ClassList, datetime], Store]
    results: Callable[[Path], Store]
    """A database for results that belong to no project."""


# ------------------------------------------------------------------------------------- a project


def data_of_project(workbench: Workbench, truth: LabelledPictures | None) -> SimulationData:
    """A project's images. The truth is its own labels, unless another is given.

    Raises NothingToImport when there are too few labels to replay with.
    """
    truth = truth or own_labels(workbench)
    for part, found in (("pool", truth.pool), ("audit set", truth.test)):
        if len(found) < LEAST_TRUTH:
            raise NothingToImport(
                f"{len(found)} images of the {part} have labels; a simulation needs at least "
                f"{LEAST_TRUTH}. Import labelled images (`alworkbench import FOLDER --labels`, and "
                f"`--audit` for the audit set), or simulate on a folder of images (`--images FOLDER`) "
                f"or a features file (`--features FILE`)."
            )
    settings = workbench.session.settings()
    return join(
        settings.name,
        workbench.session.engine(),
        workbench.posteriors.newest(),
        workbench.classes.current(),
        truth,
    )


def truth_of_manifest(manifest: Path) -> LabelledPictures:
    """Truth from a manifest with the columns label, split and sha256. Raises UnreadableSource."""
    parts: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for row in read_manifest(manifest):
        if row.label is None or row.hash is None:
            raise UnreadableSource(
                f"The manifest {manifest} gives no label or no sha256 for {row.path}. A truth to "
                f"simulate with needs both for every image."
            )
        parts[row.split in AUDIT_SPLITS][row.hash] = row.label
    return LabelledPictures(parts[False], parts[True])


def own_labels(workbench: Workbench) -> LabelledPictures:
    """What people have labelled in a project: the pool against the audit set."""
    name_of = {c.id: c.name for c in workbench.classes.current().classes}
    parts = []
    with workbench.session.store.read() as reader:
        for role in (Role.POOL, Role.AUDIT):
            hash_of = dict(reader.images.ids_and_hashes(role))
            parts.append(
                {
                    hash_of[image]: name_of[label.class_id]
                    for image, label in reader.labels.current(role).items()
                    if label.kind is AnswerKind.CLASS and label.class_id in name_of
                }
            )
    return LabelledPictures(*parts)


def own_seconds(workbench: Workbench) -> tuple[float, ...]:
    """How long each recorded answer of people took, oldest first. Raises NothingToImport."""
    with workbench.session.store.read() as reader:
        labels = reader.labels.all()
    found = tuple(label.duration_ms / 1000 for label in labels if label.duration_ms)
    if not found:
        raise NothingToImport(
            "No label of this project says how long it took, so answers cannot be given a cost. Label "
            "some images in the browser (`alworkbench serve`), or give seconds (`--seconds 4.2`)."
        )
    return found


# ------------------------------------------------------------------------------ a folder of images


def data_of_images(
    images: Path,
    test: Path | None,
    encoder: str,
    cache: Path,
    stores: Stores,
    device: torch.device,
    progress: Progress,
) -> SimulationData:
    """A class-folder tree, manifest or archive, and the same for the test part if there is one.

    Images and features are kept as a project in `cache`, so that they are read once; other files,
    or another encoder, make another. Without a test part, a share of each class becomes it, by the
    images' hashes. Raises NothingToImport without labels, InvalidPlan for parts that meet.
    """
    folder = folder_of_images(images, test, encoder, cache)
    try:
        store = stores.open(folder.path)
    except ProjectMissing:
        store = _read_images(images, test, encoder, folder, stores, progress)
    try:
        workbench = Workbench(folder, store, device=device)
        status = workbench.status()
        if status.encoded < status.pool_images + status.audit_images:
            workbench.features.encode(progress=progress)
        if not workbench.status().has_posterior:
            workbench.posteriors.fit_from_pool(progress=progress)
        return data_of_project(workbench, None)
    finally:
        store.close()


def folder_of_images(images: Path, test: Path | None, encoder: str, cache: Path) -> ProjectFolder:
    """Where a folder of images is kept as a project, made or not; new when a file of it changes.

    Raises UnreadableSource where nothing is.
    """
    key = _key_of_files([images, *([] if test is None else [test])], encoder)
    return ProjectFolder(cache / "images" / key)


def _read_images(
    images: Path,
    test: Path | None,
    encoder: str,
    folder: ProjectFolder,
    stores: Stores,
    progress: Progress,
) -> Store:
    """A new project with the images in their roles and their classes as labels, whole or not at all."""
    root, found = _labelled(images, folder, progress)
    parts = {
        Role.POOL: [f for f in found if f.split not in AUDIT_SPLITS],
        Role.AUDIT: [f for f in found if f.split in AUDIT_SPLITS],
    }
    roots = dict.fromkeys(Role, root)
    if test is not None:
        roots[Role.AUDIT], parts[Role.AUDIT] = _labelled(test, folder, progress)
        parts[Role.POOL] = found
    elif not parts[Role.AUDIT]:
        parts = _split(found)
    pool, audit = ({f.hash for f in parts[role]} for role in (Role.POOL, Role.AUDIT))
    if both := pool & audit:
        place = next(f.path for f in parts[Role.AUDIT] if f.hash in both)
        raise InvalidPlan(
            f"{len(both)} images stand both in the pool and in the test part of {images}, such as "
            f"{place}. What is measured on must not be learned from: remove them from one of the two."
        )
    names = sorted({str(f.class_name) for part in parts.values() for f in part})
    classes = ClassList(tuple(LabelClass(name) for name in names))
    settings = ProjectSettings(images.resolve().name, encoder)
    # Made beside its place: what was begun and killed must not look like a project with all images.
    draft = folder.path.with_name(f"{folder.path.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    store = stores.create(draft, settings, classes, utc_now())
    try:
        with store.write() as writer:
            ids = {c.name: c.id for c in writer.classes.current().classes}
            for role, part in parts.items():
                writer.images.add(part, [], root=str(roots[role]), role=role)
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
    finally:
        store.close()
    draft.replace(folder.path)
    return stores.open(folder.path)


def _labelled(
    location: Path, folder: ProjectFolder, progress: Progress
) -> tuple[Path, list[FoundImage]]:
    """The images of a source that have a class, and the folder that their paths are relative to."""
    unpacked = folder.path.with_name(f"{folder.path.name}.unpacked")
    source = read_source(location, into=unpacked, labelled=True, progress=progress)
    found = [entry for entry in source.read(progress=progress) if isinstance(entry, FoundImage)]
    known = [image for image in found if image.class_name is not None]
    if not known:
        raise NothingToImport(
            f"No image of {location} has a class. Put the images into a folder for each class, or give "
            f"a manifest.csv with the columns path and label."
        )
    return source.root.resolve(), known


def _split(found: Iterable[FoundImage]) -> dict[Role, list[FoundImage]]:
    """A share of each class as the test part: the images whose hashes come first."""
    parts: dict[Role, list[FoundImage]] = {Role.POOL: [], Role.AUDIT: []}
    by_class: dict[str, dict[str, list[FoundImage]]] = {}
    for image in found:
        by_class.setdefault(str(image.class_name), {}).setdefault(image.hash, []).append(image)
    for contents in by_class.values():
        apart = round(TEST_SHARE * len(contents))
        for rank, content in enumerate(sorted(contents)):
            parts[Role.AUDIT if rank < apart else Role.POOL] += contents[content]
    return parts


def _key_of_files(locations: Iterable[Path], encoder: str) -> str:
    """Names the files below some places by path, size and time: cheap, and new when one changes."""
    digest = hashlib.sha256(encoder.encode())
    for location in locations:
        if not location.exists():
            raise UnreadableSource(
                f"There is nothing at {location}. Give a folder with a folder for each class, a "
                f"manifest.csv, or an archive."
            )
        whole = location.is_file() and not is_archive(
            location
        )  # a manifest: its folder's files too
        place = location.parent if whole else location
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        digest.update(f"\n{location.resolve()}\n".encode())
        for file in files:
            if file.is_file():
                stat = file.stat()
                digest.update(
                    json.dumps([str(file), stat.st_size, stat.st_mtime_ns]).encode() + b"\n"
                )
    return digest.hexdigest()[:16]


# ------------------------------------------------------------------------------- a features file


def data_of_features(file: FeatureFile, path: Path) -> SimulationData:
    """What a simulation needs of a features file. Without pairs, the posterior is of the pool."""
    if file.labels is None:
        raise InvalidFeatureFile(
            f"{path} has no array labels, and a simulation needs it: they are what the oracle answers. "
            f"Write the file again with it."
        )
    split = file.split or ("pool",) * len(file.features)
    is_test = torch.tensor([part == "test" for part in split])
    known = file.labels >= 0
    may_be_asked = known | (file.labels == NO_CLASS)
    pool, test = (may_be_asked & ~is_test).nonzero()[:, 0], (known & is_test).nonzero()[:, 0]
    if not len(pool) or not len(test):
        raise InvalidFeatureFile(
            f"{path} has {len(pool)} labelled images in its pool and {len(test)} in its test part; "
            f"both are needed. Mark images with `split` as pool or test."
        )
    # Names where there are no hashes: rows are told apart by them, nothing more.
    names = file.hashes or file.paths or ()
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    table = FeatureTable.from_features(hashes, file.features)
    # Never from the test part: what is measured on must not have been looked at.
    posterior = _posterior(file, table, (~is_test).nonzero()[:, 0])
    return SimulationData(
        path.stem,
        file.encoder_id,
        file.head,
        posterior,
        ClassList(tuple(LabelClass(name) for name in file.class_names)),
        file.class_activations,
        table,
        pool,
        test,
        file.labels,
        file.role,
    )


def _posterior(file: FeatureFile, table: FeatureTable, pool: Int[Tensor, "n"]) -> Posterior:
    if file.pairs is not None:
        images, texts = file.pairs.images, file.pairs.texts
        return posterior_of_pairs(file.head, images, texts, file.encoder_id, batch=PAIR_BATCH)
    found = fit_from_pool(
        file.head,
        table,
        pool.tolist(),
        file.prompt_activations,
        file.encoder_id,
        batch=PAIR_BATCH,
        seed=0,
    )
    return found.posterior
