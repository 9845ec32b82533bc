"""Simulations of what a user has: a project, the bundled sample in it, or a labelled features file.

A finished result is kept under a key of plan, data and version; asked again, it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.datasets.manifests import read_manifest
from alworkbench.domain import AnswerKind, ClassList, LabelClass, Role
from alworkbench.encoders.feature_file import FeatureFile, read_feature_file
from alworkbench.errors import InvalidFeatureFile, NothingToImport, UnreadableSource
from alworkbench.features import FeatureTable
from alworkbench.fitting import PAIR_BATCH, posterior_of_pairs
from alworkbench.intake import AUDIT_SPLITS
from alworkbench.pool_fitting import fit_from_pool
from alworkbench.posterior.kronecker import Posterior
from alworkbench.progress import Progress
from alworkbench.simulation.code_version import code_version, versions
from alworkbench.simulation.data import (
    NEAR_DUPLICATE,
    LabelledPictures,
    SimulationData,
    join,
    pool_of_seed,
)
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.results import (
    SimulationResult,
    load_points,
    load_result,
    save_points,
    save_result,
)
from alworkbench.simulation.runner import OpenStore, check, simulate
from alworkbench.workbench import Workbench, utc_now

LEAST_TRUTH = 20
"""Labelled images that either part needs before a replay says anything."""


def simulate_project(
    workbench: Workbench,
    plan: Plan,
    open_store: OpenStore,
    truth: LabelledPictures | None,
    out: Path | None,
    progress: Progress,
    processes: int = 1,
) -> SimulationResult:
    """Replay on a project's images. The truth is its own labels, unless another is given.

    Raises NothingToImport when there are too few labels to replay with.
    """
    truth = truth or own_labels(workbench)
    for part, found in (("pool", truth.pool), ("audit set", truth.test)):
        if len(found) < LEAST_TRUTH:
            raise NothingToImport(
                f"{len(found)} images of the {part} have labels; a simulation needs at least "
                f"{LEAST_TRUTH}. Import labelled images (`alworkbench import FOLDER --labels`, and "
                f"`--audit` for the audit set), or simulate on a features file (`--features FILE`)."
            )
    settings = workbench.settings()
    data = join(
        settings.name, workbench.engine(), workbench.posterior(), workbench.classes(), truth
    )
    place = out or workbench.folder.simulations
    return replay(data, plan, open_store, place, progress, processes)


def simulate_features(
    path: Path,
    plan: Plan,
    open_store: OpenStore,
    out: Path | None,
    progress: Progress,
    processes: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> SimulationResult:
    """Replay on a labelled features file; see `alworkbench.encoders.feature_file` for its layout.

    The result goes beside the file unless `out` names a folder. `tell` hears that the posterior was
    fitted from the pool, where the file has no pairs. Raises InvalidFeatureFile for a file without
    labels in both parts.
    """
    file = read_feature_file(path)
    data = data_of_features(file, path)
    if file.pairs is None:
        tell(
            f"{path.name} has no pair_activations: the posterior was fitted from its pool and prompts, "
            f"which approximates a fit from image-caption pairs."
        )
    place = out or path.parent / f"{path.stem}-simulations"
    return replay(data, plan, open_store, place, progress, processes)


def data_of_features(file: FeatureFile, path: Path) -> SimulationData:
    """What a simulation needs of a features file. Without pairs, the posterior is of the pool."""
    if file.labels is None:
        raise InvalidFeatureFile(
            f"{path} has no array labels, and a simulation needs it: they are what the oracle answers. "
            f"Write the file again with it."
        )
    split = file.split or ("pool",) * len(file.features)
    known = file.labels >= 0
    is_test = torch.tensor([part == "test" for part in split])
    pool, test = (known & ~is_test).nonzero()[:, 0], (known & is_test).nonzero()[:, 0]
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
    is_pool = (~is_test).nonzero()[:, 0]
    posterior = _posterior(file, table, is_pool)
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
    name_of = {c.id: c.name for c in workbench.classes().classes}
    parts = []
    with workbench.store.read() as reader:
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


def replay(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    out: Path,
    progress: Progress,
    processes: int = 1,
) -> SimulationResult:
    """Run a plan, or read its result if this code has run it on this data before.

    Each finished run is kept at once, so an interrupted simulation goes on where it stopped.
    """
    check(data, plan)
    code = code_version()
    key = plan.key(data.fingerprint(), code)
    folder = out / key
    if (folder / "result.json").exists():
        return load_result(folder)
    kept = folder / "runs"
    kept.mkdir(parents=True, exist_ok=True)

    def file_of(run: Run) -> Path:
        return kept / f"{run.name}.json"

    runs = plan.runs()
    simulate(
        data,
        plan,
        open_store,
        runs=[run for run in runs if not file_of(run).exists()],
        processes=processes,
        progress=progress,
        finished=lambda run, points: save_points(file_of(run), points),
    )
    points = [point for run in runs for point in load_points(file_of(run))]
    facts = facts_of(data, plan, code, processes)
    return save_result(folder, title(data, plan), key, plan, facts, points, utc_now())


def title(data: SimulationData, plan: Plan) -> str:
    return f"{data.name}: {', '.join(arm.words(plan.arms) for arm in plan.arms)}"


def facts_of(data: SimulationData, plan: Plan, code: str, processes: int) -> dict[str, Any]:
    """What a figure must be read with: what was measured on what, by what."""
    pool = len(pool_of_seed(data.pool.tolist(), 0, plan.pool_fraction))
    return {
        "name": data.name,
        "role": data.role,
        "encoder": data.encoder_id,
        "classes": list(data.classes.names),
        "pool": len(data.pool),
        "pool_per_seed": pool - plan.audit,
        "test": len(data.test),
        "near_duplicates": data.near_duplicates(),
        "near_duplicate_cosine": NEAR_DUPLICATE,
        "transductive": plan.transductive,
        "code": code,
        "versions": versions(),
        "threads": 1,
        "processes": processes,
        "oracle": plan.oracle.words(),
        "card": None if data.card is None else dict(data.card),
    }
