"""All runs of a plan, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import (
    SimulationPoint,
)
from alworkbench.core.errors import InvalidPlan
from alworkbench.core.progress import Progress, silent
from alworkbench.engines.engine import Engine
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.engine_runs import on_engine
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import OpenStore, Simulator
from alworkbench.simulation.workers import in_processes


def check(data: SimulationData, plan: Plan) -> None:
    """Refuse a plan that cannot be run.

    Raises InvalidPlan, UnknownStrategy, UnknownAdaptation.
    """
    for name in plan.strategies:
        find_strategy(name)
    for name in (*plan.adaptations, *plan.baselines):
        find_method(name)
    pool = max(1, round(plan.pool_fraction * len(data.pool)))
    if plan.labels + plan.audit > pool:
        raise InvalidPlan(
            f"Each run asks {plan.labels} images and draws {plan.audit} for its audit set, but its part "
            f"of the pool has {pool} ({plan.pool_fraction:.3g} of {len(data.pool)}). Ask for fewer "
            f"(`--labels`, `--audit`), or use a larger pool."
        )
    noise = plan.oracle.noise
    if isinstance(noise, tuple) and (
        len(noise) != len(data.classes) or any(len(row) != len(data.classes) for row in noise)
    ):
        raise InvalidPlan(
            f"The confusion matrix of the oracle must have {len(data.classes)} rows and columns, one "
            f"for each class of {data.name!r}; found {len(noise)} rows."
        )


def rounds_of(plan: Plan, run: Run) -> int:
    """How many rounds a run has."""
    return -(-plan.labels // run.arm.batch_size)


def simulate(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    *,
    runs: Sequence[Run] | None = None,
    processes: int = 1,
    engine: Engine | None = None,
    folder: Path | None = None,
    progress: Progress = silent,
    finished: Callable[[Run, list[SimulationPoint]], None] = lambda run, points: None,
) -> list[SimulationPoint]:
    """The points of every run of the plan, or of the given runs; deterministic in plan and data.

    Each run computes in one thread, so that the number of processes changes only the time. `open_store`
    must be a function that another process can import. `finished` is called in this process with each
    finished run, in any order. With an `engine`, its workers compute the runs and keep them below `folder`,
    see `engine_runs`. Raises InvalidPlan, UnknownStrategy, WorkbenchError where a process ends before its
    run is done, and EngineError.
    """
    check(data, plan)
    if engine is not None and folder is None:
        raise ValueError("an engine needs a folder for its runs")
    runs = plan.runs() if runs is None else runs
    total = len(runs)
    rounds = sum(rounds_of(plan, each) for each in runs)
    progress("runs", 0, total)

    def tick(done: int) -> None:
        progress("rounds", done, rounds)

    tick(0)
    done: dict[Run, list[SimulationPoint]] = {}
    if engine is not None and folder is not None:
        replayed = on_engine(engine, data, plan, open_store, runs, folder, tick)
    elif min(processes, total) > 1:
        replayed = in_processes(data, plan, open_store, runs, min(processes, total), tick)
    else:
        replayed = _in_this_process(data, plan, open_store, runs, tick)
    for each, points in replayed:
        done[each] = points
        finished(each, points)
        progress("runs", len(done), total)
    return [point for each in runs for point in done[each]]


def _in_this_process(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    runs: Sequence[Run],
    tick: Callable[[int], None],
) -> Iterator[tuple[Run, list[SimulationPoint]]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        simulator, done = Simulator(data, plan, open_store), 0
        for each in runs:
            points = []
            for point in simulator.run(each):
                points.append(point)
                done += point.round > 0
                tick(done)
            yield each, points
    finally:
        torch.set_num_threads(threads)
