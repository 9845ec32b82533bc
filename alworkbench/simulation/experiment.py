"""Simulations from a request to a result that is kept.

A finished result is kept under a key of plan, data and code; asked again, it is read. Runs that are done
are kept at once, so one that was interrupted goes on where it stopped, whatever stopped it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from alworkbench.core.domain import SimulationPoint
from alworkbench.core.errors import InvalidResult
from alworkbench.core.progress import Progress, silent
from alworkbench.core.versions import code_version, versions
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.config import Request
from alworkbench.simulation.dataset import LabelledPictures, SimulationData, pool_of_seed
from alworkbench.simulation.load.origin import (
    FEATURES,
    PROJECT,
    Origin,
    Surroundings,
    data_of,
    data_of_opened,
    opened_project,
    origin_of_project,
    origins_of,
)
from alworkbench.simulation.load.sources import Stores, data_of_project, own_seconds
from alworkbench.simulation.near_duplicates import STANDS_OUT, near_duplicates
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.results import (
    SimulationResult,
    load_points,
    load_result,
    save_points,
    save_result,
)
from alworkbench.simulation.rows import keep, write_parquet
from alworkbench.simulation.run import OpenStore
from alworkbench.simulation.runner import check, simulate

SIMULATIONS = Path("simulations")
"""Where results on collections and folders of images go if nothing else is said."""
RESULTS = "results.db"
"""Where results of simulations without a project are kept as rows, in their folder."""


def run_request(
    request: Request,
    stores: Stores,
    cache: Path,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda line: None,
) -> list[SimulationResult]:
    """Everything that was asked for, one result for each data set.

    Results and their rows go to `out` where the request names one; else to the project, to a folder
    beside the features file, or to `simulations`. `cache` keeps encoded images; `tell` hears what a
    user should know. Raises InvalidPlan and what reading data raises.
    """
    around = Surroundings(stores, cache, device or torch.device("cpu"), progress, tell)
    processes = request.processes or os.cpu_count() or 1
    origins = origins_of(request)
    if origins[0].kind == PROJECT:
        return [_on_project(request, origins[0], around, processes)]
    found = []
    for origin in origins:
        data = data_of(origin, around)
        out = request.out or _usual_place(origin)
        result = replay(data, request.plan, stores.memory, out, progress, processes, origin)
        with closing(stores.results(out / RESULTS)) as kept:
            keep(kept, result)
        found.append(result)
    return found


def _on_project(
    request: Request, origin: Origin, around: Surroundings, processes: int
) -> SimulationResult:
    """Rows are kept in the project itself, unless another folder is named."""
    stores, plan = around.stores, request.plan
    with opened_project(origin, around) as (workbench, store):
        if request.own_seconds:
            plan = replace(plan, oracle=replace(plan.oracle, seconds=own_seconds(workbench)))
        data = data_of_opened(workbench, origin)
        out = request.out or workbench.session.folder.simulations
        result = replay(data, plan, stores.memory, out, around.progress, processes, origin)
        if request.out is None:
            keep(store, result)
            return result
    with closing(stores.results(out / RESULTS)) as kept:
        keep(kept, result)
    return result


def _usual_place(origin: Origin) -> Path:
    path = Path(origin.place)
    return path.parent / f"{path.stem}-simulations" if origin.kind == FEATURES else SIMULATIONS


def simulate_project(
    workbench: Workbench,
    plan: Plan,
    open_store: OpenStore,
    truth: LabelledPictures | None,
    out: Path | None,
    progress: Progress,
    processes: int = 1,
    truth_name: str | None = None,
) -> SimulationResult:
    """Replay on a project's images. The truth is its own labels, unless another is given.

    `truth_name` says whose another is: a manifest, or `sample`; without, such a result does not know
    where its truth came from. The result is kept in the project, too, as rows, unless `out` names
    another folder. Raises NothingToImport when there are too few labels to replay with.
    """
    data = data_of_project(workbench, truth)
    place = out or workbench.session.folder.simulations
    named = truth is None or truth_name is not None
    origin = origin_of_project(workbench.session.folder.path, truth_name) if named else None
    result = replay(data, plan, open_store, place, progress, processes, origin)
    if out is None:
        keep(workbench.session.store, result)
    return result


def replay(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    out: Path,
    progress: Progress = silent,
    processes: int = 1,
    origin: Origin | None = None,
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

    def finished(run: Run, points: list[SimulationPoint]) -> None:
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
    facts = facts_of(data, plan, code, processes, origin)
    return save_result(folder, title(data, plan), key, plan, facts, points, utc_now())


def _kept_points(path: Path) -> list[SimulationPoint]:
    """Of a run that is done; nothing where its file is missing or damaged: it is run again."""
    try:
        return load_points(path)
    except InvalidResult:
        return []


def title(data: SimulationData, plan: Plan) -> str:
    """Name of the data and the strategies."""
    names = [arm.words(plan.arms) for arm in plan.arms]
    return f"{data.name}: {('; ' if any(',' in name for name in names) else ', ').join(names)}"


def facts_of(
    data: SimulationData, plan: Plan, code: str, processes: int, origin: Origin | None = None
) -> dict[str, Any]:
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
        "fingerprint": data.fingerprint(),
        "source": None if origin is None else origin.as_facts(),
        "near_duplicates": near_duplicates(data.table, data.pool, data.test),
        "near_duplicate_ratio": STANDS_OUT,
        "transductive": plan.transductive,
        "code": code,
        "versions": versions(),
        "threads": 1,
        "processes": processes,
        "oracle": plan.oracle.words(),
        "card": None if data.card is None else dict(data.card),
    }
