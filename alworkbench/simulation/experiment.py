"""Simulations from a configuration to a stored result.

A finished result is stored under a key of plan, data and code; the same configuration reads it again. Each
finished run is stored at once, so that an interrupted simulation continues with the runs that are left.
A simulation whose results go into a project is a job of that project while it computes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from alworkbench.core.domain import JobKind, ProjectFolder, SimulationPoint
from alworkbench.core.errors import InvalidResult
from alworkbench.core.progress import Progress, silent
from alworkbench.core.versions import code_version, versions
from alworkbench.engines.engine import Engine
from alworkbench.project.jobs import both
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.begun import Begun, file_of_run, save_begun, without_own_project
from alworkbench.simulation.config import SimulationConfig
from alworkbench.simulation.dataset import SimulationData, pool_of_seed
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.origin import (
    COLLECTION,
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


Recorded = Callable[[str, Progress], AbstractContextManager[Progress]]
"""A block in which a simulation with this title computes: it gives the progress to call, and may refuse."""


@contextmanager
def unrecorded(_title: str, progress: Progress) -> Iterator[Progress]:
    """A simulation that nobody else watches."""
    yield progress


def recorded_in(workbench: Workbench) -> Recorded:
    """Simulations as jobs of this project.

    Raises JobRuns where another one is at work, and JobCancelled where somebody stopped this one.
    """

    @contextmanager
    def recorded(title: str, told: Progress) -> Iterator[Progress]:
        with workbench.jobs.claim(JobKind.SIMULATE, lambda: f"simulate {title}") as record:
            yield both(rounds_only(record), told)

    return recorded


def rounds_only(progress: Progress) -> Progress:
    """Without the count of runs, which come in turns with rounds: a job has one step at a time."""

    def heard(step: str, done: int, total: int) -> None:
        if step != "runs":
            progress(step, done, total)

    return heard


def run_experiment(
    config: SimulationConfig,
    context: LoadContext,
    recorded: Recorded = unrecorded,
    engine: Engine | None = None,
) -> list[SimulationResult]:
    """Run a configuration's plan on each of its data sets; one result for each.

    Results are written to `folder_of`. Each is computed in a block of `recorded`; one that is only read
    again is not. With an `engine` its workers compute the runs. Raises InvalidPlan, UnknownStrategy,
    UnknownAdaptation, EngineError and what loading raises.
    """
    return [_run_on(origin, config, context, recorded, engine) for origin in origins_of(config)]


def _run_on(
    origin: Origin,
    config: SimulationConfig,
    context: LoadContext,
    recorded: Recorded,
    engine: Engine | None,
) -> SimulationResult:
    plan = config.plan
    if config.own_seconds:
        with opened_project(origin, context) as workbench:
            plan = replace(plan, oracle=replace(plan.oracle, seconds=own_seconds(workbench)))
    return run_plan(
        data_of(origin, context),
        plan,
        context.stores.memory,
        folder_of(config, origin),
        context.progress,
        config.processes or os.cpu_count() or 1,
        origin,
        words_for(config, origin),
        recorded,
        engine,
    )


def words_for(config: SimulationConfig, origin: Origin) -> dict[str, Any]:
    """The words that order the same simulation again, on one of its data sets, from any folder.

    They name no project where it is the one that keeps the results: whoever orders them says which it is.
    """
    words = config.words()
    words |= {
        name: str(getattr(config, name).absolute()) for name in words.keys() & {"test", "out"}
    }
    if origin.kind == COLLECTION:
        return {**words, "data": [origin.place]}
    truth = {} if origin.truth_place is None else {"truth": origin.truth_place}
    words |= {origin.kind: origin.place} | truth
    return without_own_project(words)


def project_of(config: SimulationConfig) -> Path | None:
    """The project that keeps the results of a configuration; None where another folder does."""
    if config.out is not None:
        return config.out if ProjectFolder(config.out).holds_project else None
    origins = origins_of(config)
    return Path(origins[0].place) if origins[0].kind == PROJECT else None


def folder_of(config: SimulationConfig, origin: Origin) -> Path:
    """The folder with a folder for each result: `out`, or else in the project, beside the features file,
    or `simulations`. Where `out` is a project, that of its simulations."""
    path = Path(origin.place)
    if config.out is not None:
        inside = ProjectFolder(config.out)
        return inside.simulations if inside.holds_project else config.out
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
    words: Mapping[str, Any] | None = None,
    recorded: Recorded = unrecorded,
    engine: Engine | None = None,
) -> SimulationResult:
    """Run a plan, or read its result if this code has run it on this data before.

    Writes `<out>/<key>/` with `begun.json`, `runs/`, `points.parquet` and, last, `result.json`. `words` are
    those of the configuration that ordered it. With an `engine` its workers compute the runs, and not
    `processes`. Raises InvalidPlan, UnknownStrategy, UnknownAdaptation, EngineError.
    """
    check(data, plan)
    code = code_version()
    key = plan.key(data.fingerprint(), code)
    folder = out / key
    if (folder / "result.json").exists():
        return load_result(folder)
    name = title(data, plan)
    with recorded(name, progress) as told:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        save_begun(Begun(folder, name, key, utc_now(), plan, words))
        runs = plan.runs()
        done = {run: found for run in runs if (found := _stored_points(file_of_run(folder, run)))}

        def finished(run: Run, points: list[SimulationPoint]) -> None:
            save_points(file_of_run(folder, run), points)
            done[run] = points

        simulate(
            data,
            plan,
            open_store,
            runs=[run for run in runs if run not in done],
            processes=processes,
            engine=engine,
            folder=folder,
            progress=told,
            finished=finished,
        )
    points = [point for run in runs for point in done[run]]
    write_parquet(folder / "points.parquet", points)
    where = {"processes": processes} if engine is None else {"engine": engine.name}
    facts = facts_of(data, plan, code, where, origin)
    return save_result(folder, name, key, plan, facts, points, utc_now())


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
    data: SimulationData,
    plan: Plan,
    code: str,
    where: Mapping[str, Any],
    origin: Origin | None = None,
) -> dict[str, Any]:
    """The conditions of a result: data, sizes, code, versions, oracle, and `where` it was computed."""
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
        **where,
        "oracle": plan.oracle.words(),
        "card": None if data.card is None else dict(data.card),
    }
