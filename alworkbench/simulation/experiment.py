"""Simulations from a configuration to a stored result.

A finished result is stored under a key of plan, data and code; the same configuration reads it again. Each
finished run is stored at once, so that an interrupted simulation continues with the runs that are left.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from alworkbench.core.domain import ProjectFolder, SimulationPoint
from alworkbench.core.errors import InvalidResult
from alworkbench.core.progress import Progress, silent
from alworkbench.core.versions import code_version, versions
from alworkbench.project.session import utc_now
from alworkbench.simulation.config import SimulationConfig
from alworkbench.simulation.dataset import SimulationData, pool_of_seed
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.origin import (
    FEATURES,
    PROJECT,
    Origin,
    data_of,
    opened_project,
    origins_of,
)
from alworkbench.simulation.load.project_data import own_seconds
from alworkbench.simulation.near_duplicates import STANDS_OUT, near_duplicates
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.results import (
    SimulationResult,
    load_points,
    load_result,
    save_points,
    save_result,
)
from alworkbench.simulation.rows import write_parquet
from alworkbench.simulation.run import OpenStore
from alworkbench.simulation.runner import check, simulate

SIMULATIONS = Path("simulations")
"""Folder for results on collections and on folders of images, unless `out` names another."""


def run_experiment(config: SimulationConfig, context: LoadContext) -> list[SimulationResult]:
    """Run a configuration's plan on each of its data sets; one result for each.

    Results are written to `config.out`, or else into the project, beside the features file, or to
    `simulations`. Raises InvalidPlan, UnknownStrategy, UnknownAdaptation and what loading raises.
    """
    return [_run_on(origin, config, context) for origin in origins_of(config)]


def _run_on(origin: Origin, config: SimulationConfig, context: LoadContext) -> SimulationResult:
    plan = config.plan
    if config.own_seconds:
        with opened_project(origin, context) as workbench:
            plan = replace(plan, oracle=replace(plan.oracle, seconds=own_seconds(workbench)))
    return run_plan(
        data_of(origin, context),
        plan,
        context.stores.memory,
        config.out or _default_folder(origin),
        context.progress,
        config.processes or os.cpu_count() or 1,
        origin,
    )


def _default_folder(origin: Origin) -> Path:
    path = Path(origin.place)
    if origin.kind == PROJECT:
        return ProjectFolder(path).simulations
    return path.parent / f"{path.stem}-simulations" if origin.kind == FEATURES else SIMULATIONS


def run_plan(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    out: Path,
    progress: Progress = silent,
    processes: int = 1,
    origin: Origin | None = None,
) -> SimulationResult:
    """Run a plan, or read its result if this code has run it on this data before.

    Writes `<out>/<key>/` with `runs/`, `points.parquet` and, last, `result.json`. Raises InvalidPlan,
    UnknownStrategy, UnknownAdaptation.
    """
    check(data, plan)
    code = code_version()
    key = plan.key(data.fingerprint(), code)
    folder = out / key
    if (folder / "result.json").exists():
        return load_result(folder)
    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)

    def file_of(run: Run) -> Path:
        return runs / f"{run.name}.json"

    done = {run: found for run in plan.runs() if (found := _stored_points(file_of(run)))}

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


def _stored_points(path: Path) -> list[SimulationPoint]:
    """Points of a finished run; empty if its file is missing or damaged, so that it runs again."""
    try:
        return load_points(path)
    except InvalidResult:
        return []


def title(data: SimulationData, plan: Plan) -> str:
    """Name of the result: its data and the arms that it compares."""
    names = [arm.words(plan.compared) for arm in plan.compared]
    return f"{data.name}: {('; ' if any(',' in name for name in names) else ', ').join(names)}"


def facts_of(
    data: SimulationData, plan: Plan, code: str, processes: int, origin: Origin | None = None
) -> dict[str, Any]:
    """The conditions of a result: data, sizes, code, versions and oracle."""
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
