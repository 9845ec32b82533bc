"""A project as data for simulations: its images, its own labels or another truth, its recorded times."""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.datasets.sample import bundled_sample
from alworkbench.inputs.archives import unpack
from alworkbench.inputs.manifests import read_manifest
from alworkbench.inputs.sources import MANIFEST
from alworkbench.project.import_plan import AUDIT_SPLITS
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData, TrueLabels, join

LEAST_TRUTH = 20
"""Labelled images that the pool and the test part each need for a simulation."""


def data_of_project(workbench: Workbench, truth: TrueLabels | None) -> SimulationData:
    """A project's images with the given truth, or with its own labels.

    Raises NothingToImport if there are no images, no features or too few labels.
    """
    check_project(workbench, own=truth is None)
    truth = truth or own_labels(workbench)
    check_enough(truth)
    settings = workbench.session.settings()
    return join(
        settings.name,
        workbench.session.engine(),
        workbench.posteriors.newest(),
        workbench.classes.current(),
        truth,
    )


def check_project(workbench: Workbench, *, own: bool) -> None:
    """Refuse to simulate on a project that lacks something, before anything is computed.

    With `own`, its own labels are the truth, and are counted. Raises NothingToImport.
    """
    with workbench.session.store.read() as reader:
        images = sum(reader.images.count(role) for role in Role)
        encoder = reader.computed.encoder()
    parts = tuple(_labelled(workbench, role) for role in (Role.POOL, Role.AUDIT)) if own else ()
    if not images:
        lack = (
            "has no images yet. Import images whose classes are known (`alworkbench import FOLDER --labels`, "
            "and `--audit` for the audit set)"
        )
    elif encoder is None or not len(workbench.session.engine().table()):
        lack = "has no features yet. Encode its images (`alworkbench encode`)"
    elif parts and min(parts) < LEAST_TRUTH:
        lack = (
            f"has {parts[0]} in the pool and {parts[1]} in the audit set. Give more images a label"
        )
    else:
        return
    raise NothingToImport(
        f"A simulation needs at least {LEAST_TRUTH} images with features and a known class in the pool, and "
        f"as many in the audit set; this project {lack}, or simulate on a collection (`--data`), a folder of "
        f"labelled images (`--images FOLDER`) or a features file (`--features FILE`)."
    )


def _labelled(workbench: Workbench, role: Role) -> int:
    """Images of this role whose label is a class in use."""
    counted = workbench.classes.current().counted
    with workbench.session.store.read() as reader:
        labels = reader.labels.current(role).values()
    return sum(each.kind is AnswerKind.CLASS and each.class_id in counted for each in labels)


def check_enough(truth: TrueLabels) -> None:
    """Raises NothingToImport if the pool or the test part has fewer than LEAST_TRUTH labels."""
    for part, found in (("pool", truth.pool), ("audit set", truth.test)):
        if len(found) < LEAST_TRUTH:
            raise NothingToImport(
                f"{len(found)} images of the {part} have labels; a simulation needs at least "
                f"{LEAST_TRUTH}. Import labelled images (`alworkbench import FOLDER --labels`, and "
                f"`--audit` for the audit set), or simulate on a folder of images (`--images FOLDER`) "
                f"or a features file (`--features FILE`)."
            )


def truth_of_manifest(manifest: Path) -> TrueLabels:
    """Labels from a manifest with the columns label, split and sha256. Raises UnreadableSource."""
    parts: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for row in read_manifest(manifest):
        if row.label is None or row.hash is None:
            raise UnreadableSource(
                f"The manifest {manifest} gives no label or no sha256 for {row.path}. A simulation needs "
                f"both for every image."
            )
        parts[row.split in AUDIT_SPLITS][row.hash] = row.label
    return TrueLabels(parts[False], parts[True])


def sample_truth(workbench: Workbench) -> TrueLabels:
    """The labels of the bundled sample, from its manifest. The project itself never reads them."""
    folder = unpack(bundled_sample(), workbench.session.folder.images)
    return truth_of_manifest(folder / MANIFEST)


def own_labels(workbench: Workbench) -> TrueLabels:
    """The labels of a project: those of the pool, and those of the audit set as test part."""
    classes = workbench.classes.current()
    name_of = {id_: classes.names[position] for id_, position in classes.counted.items()}
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
    return TrueLabels(*parts)


def own_seconds(workbench: Workbench) -> tuple[float, ...]:
    """Seconds that each recorded answer took, oldest first. Raises NothingToImport without any."""
    with workbench.session.store.read() as reader:
        labels = reader.labels.all()
    found = tuple(label.duration_ms / 1000 for label in labels if label.duration_ms)
    if not found:
        raise NothingToImport(
            "No label of this project says how long it took, so answers cannot be given a cost. Label "
            "some images in the browser (`alworkbench serve`), or give seconds (`--seconds 4.2`)."
        )
    return found
