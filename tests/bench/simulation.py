"""What a simulation costs, and where the time goes: `python -m tests.bench.simulation`.

Seconds per round by strategy, shares of asking, learning, measuring and the rest, and how much more two
processes do than one. Run it on a machine that does nothing else. Options: --data NAME, --seeds N,
--labels N, -s NAME (repeatable), --skip-ratio.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import SimulationPoint
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.near_duplicates import near_duplicates
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import Simulator
from alworkbench.simulation.runner import simulate
from store import memory_store

PARTS = ("asking", "learning", "measuring")


def shares(data: SimulationData, plan: Plan) -> Table:
    """One row for each strategy: seconds of a run, per round, and the share of each part."""
    table = Table(
        title=f"{data.name}: {plan.labels} labels in batches of {plan.batch_sizes[0]}, pool of "
        f"{round(plan.pool_fraction * len(data.pool)):,}, test part of {len(data.test):,}, one thread; "
        f"means over {plan.seeds} seeds",
        title_justify="left",
        box=None,
    )
    headings = ("strategy", "s a run", "ms a round", *(f"{p}, %" for p in PARTS), "rest, %", "MiB")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    simulator = Simulator(data, plan, memory_store)
    list(simulator.run(plan.runs()[0]))  # imports and caches are no run's cost
    spent: dict[str, list[tuple[float, list[SimulationPoint]]]] = {}
    for run in plan.runs():
        started = time.perf_counter()
        points = list(simulator.run(run))
        spent.setdefault(run.arm.strategy, []).append((time.perf_counter() - started, points))
    for strategy, runs in spent.items():
        total = sum(seconds for seconds, _ in runs)
        points = list(itertools.chain.from_iterable(points for _, points in runs))
        parts = [sum(getattr(p, f"seconds_{part}") for p in points) for part in PARTS]
        rounds = sum(point.round > 0 for point in points)
        peak = max(point.peak_bytes for point in points) / 2**20
        cells = [f"{100 * part / total:.0f}" for part in (*parts, total - sum(parts))]
        table.add_row(
            strategy,
            f"{total / len(runs):.2f}",
            f"{1000 * total / rounds:.0f}",
            *cells,
            f"{peak:.0f}",
        )
    return table


def ratio(data: SimulationData, plan: Plan) -> tuple[float, float, float]:
    """Seconds by one process and by two, start of the workers included, and the ratio without it."""
    ends: dict[int, list[float]] = {1: [], 2: []}
    took: dict[int, float] = {}
    for processes, finished in ends.items():
        started = time.perf_counter()

        def note(*_: object, finished: list[float] = finished, started: float = started) -> None:
            finished.append(time.perf_counter() - started)

        simulate(data, plan, memory_store, processes=processes, finished=note)
        took[processes] = time.perf_counter() - started
    # From the first runs that are done to the last: starting two interpreters is paid once.
    pace = {n: (len(times) - n) / (times[-1] - times[n - 1]) for n, times in ends.items()}
    return took[1], took[2], pace[2] / pace[1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("-s", "--strategy", action="append")
    parser.add_argument("--skip-ratio", action="store_true")
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as scratch:
        data = load_collection(given.data, given.cache or Path(scratch))
    started = time.perf_counter()
    near = near_duplicates(data.table, data.pool, data.test)
    once = time.perf_counter() - started
    console.print(f"Near-duplicates, once for the data set: {near}, {once:.2f} s")
    names = tuple(given.strategy or ("random", "margin", "epig"))
    console.print(shares(data, Plan(names, seeds=given.seeds, labels=given.labels)))
    if not given.skip_ratio:
        plan = Plan(names, seeds=max(4, given.seeds), labels=given.labels)
        one, two, pace = ratio(data, plan)
        console.print(
            f"{len(plan.runs())} runs: {one:.1f} s by one process, {two:.1f} s by two "
            f"({one / two:.2f} times as fast, their start included); once started, two do "
            f"{pace:.2f} times as many runs a second."
        )


if __name__ == "__main__":
    main()
