"""Simulations from a request to a result that is kept.

A finished result is kept under a key of plan, data and code; asked again, it is read. Runs that are done
are kept at once, so one that was interrupted goes on where it stopped, whatever stopped it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from alworkbench.domain import ProjectFolder
from alworkbench.encoders.feature_file import read_feature_file
from alworkbench.errors import InvalidResult
from alworkbench.ports import Store
from alworkbench.progress import Progress, silent
from alworkbench.simulation.code_version import code_version, versions
from alworkbench.simulation.data import (
    NEAR_DUPLICATE,
    LabelledPictures,
    SimulationData,
    pool_of_seed,
)
from alworkbench.simulation.plan import Plan, Point, Run
from alworkbench.simulation.request import Request
from alworkbench.simulation.results import (
    SimulationResult,
    load_points,
    load_result,
    save_points,
    save_result,
)
from alworkbench.simulation.rows import keep, write_parquet
from alworkbench.simulation.runner import OpenStore, check, simulate
from alworkbench.simulation.sources import (
    Stores,
    data_of_features,
    data_of_images,
    data_of_project,
    own_seconds,
    truth_of_manifest,
)
from alworkbench.simulation.suites import load_collection
from alworkbench.workbench import Workbench, utc_now

RESULTS = "results.db"
"""Where results of simulations without a project are kept as rows, in their folder."""

TruthOf = Callable[[Workbench], LabelledPictures]


def run_request(
    request: Request,
    stores: Stores,
    cache: Path,
    *,
    sample_truth: TruthOf,
    device: torch.device | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda line: None,
) -> list[SimulationResult]:
    """Everything that was asked for, one result for each data set.

    Results and their rows go to `out` where the request names one; else to the project, to a folder
    beside the features file, or to `simulations`. `sample_truth` knows the bundled sample; `cache` keeps
    encoded images; `tell` hears what a user should know. Raises InvalidPlan and what reading data raises.
    """
    device = device or torch.device("cpu")
    processes = request.processes or os.cpu_count() or 1
    plan = request.plan

    def run(data: SimulationData, out: Path, store: Store | None = None) -> SimulationResult:
        result = replay(data, plan, stores.memory, out, progress, processes)
        with _rows_of(store, stores, out) as kept:
            keep(kept, result)
        return result

    if request.data:
        out = request.out or Path("simulations")
        return [run(load_collection(name, cache, progress), out) for name in request.data]
    if request.images is not None:
        found = data_of_images(
            request.images, request.test, request.encoder, cache, stores, device, progress
        )
        return [run(found, request.out or Path("simulations"))]
    if request.features is not None:
        path = request.features
        file = read_feature_file(path)
        if file.pairs is None:
            tell(
                f"{path.name} has no pair_activations: the posterior was fitted from its pool and "
                f"prompts, which approximates a fit from image-caption pairs."
            )
        out = request.out or path.parent / f"{path.stem}-simulations"
        return [run(data_of_features(file, path), out)]
    store = stores.open(request.project)
    try:
        workbench = Workbench(ProjectFolder(request.project), store, device=device)
        truth = None
        if request.truth is not None:
            is_sample = request.truth == "sample"
            truth = sample_truth(workbench) if is_sample else truth_of_manifest(Path(request.truth))
        if request.own_seconds:
            plan = replace(plan, oracle=replace(plan.oracle, seconds=own_seconds(workbench)))
        data = data_of_project(workbench, truth)
        if request.out is not None:
            return [run(data, request.out)]
        return [run(data, workbench.folder.simulations, store)]
    finally:
        store.close()


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

    The result is kept in the project, too, as rows, unless `out` names another folder. Raises
    NothingToImport when there are too few labels to replay with.
    """
    data = data_of_project(workbench, truth)
    place = out or workbench.folder.simulations
    result = replay(data, plan, open_store, place, progress, processes)
    if out is None:
        keep(workbench.store, result)
    return result


def replay(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    out: Path,
    progress: Progress = silent,
    processes: int = 1,
) -> SimulationResult:
    """Run a plan, or read its result if this code has run it on this data before.

    Leaves `<out>/<key>/` with `runs/`, `points.parquet`, what reports are made of, and at last
    `result.json`. Raises InvalidPlan, UnknownStrategy.
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

    done = {run: found for run in plan.runs() if (found := _kept_points(file_of(run)))}

    def finished(run: Run, points: list[Point]) -> None:
        save_points(file_of(run), points)
        done[run] = points

    left = [run for run in plan.runs() if run not in done]
    simulate(
        data,
        plan,
        open_store,
        runs=left,
        processes=processes,
        progress=progress,
        finished=finished,
    )
    points = [point for run in plan.runs() for point in done[run]]
    write_parquet(folder / "points.parquet", points)
    facts = facts_of(data, plan, code, processes)
    return save_result(folder, title(data, plan), key, plan, facts, points, utc_now())


def _kept_points(path: Path) -> list[Point]:
    """Of a run that is done; nothing where its file is missing or damaged: it is run again."""
    try:
        return load_points(path)
    except InvalidResult:
        return []


@contextmanager
def _rows_of(store: Store | None, stores: Stores, out: Path) -> Iterator[Store]:
    """The given store, or the database of results in a folder, closed at the end."""
    if store is not None:
        yield store
        return
    results = stores.results(out / RESULTS)
    try:
        yield results
    finally:
        results.close()


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
