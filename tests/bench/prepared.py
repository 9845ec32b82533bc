"""What it costs to rank each round from a share of the labels before it: `python -m tests.bench prepared`.

The same runs twice: with a pause between rounds, so that all labels rank, and with rounds that are prepared
at a share of the answers (`project.prepared_rounds`). Accuracy on the test part at some numbers of labels;
the differences are paired by seed, and ± is a standard error over seeds. Arguments: bundled collections or
features files, `--seeds N`, `--at SHARE`, `--labels N`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.evaluation.intervals import estimate
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.feature_data import data_of_features
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import Simulator
from store import memory_store

SHOWN = (20, 50, 100)
"""Labels at which accuracy is shown."""


def load(name: str) -> SimulationData:
    path = Path(name)
    if path.suffix == ".npz":
        return data_of_features(read_feature_file(path), path)
    with tempfile.TemporaryDirectory() as cache:
        return load_collection(name, Path(cache))


def accuracies(
    simulator: Simulator, plan: Plan, share: float | None
) -> dict[tuple[int, int], float]:
    """(seed, labels) -> accuracy on the test part."""
    return {
        (run.seed, point.asked): point.accuracy
        for run in plan.runs()
        for point in simulator.run(run, share)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["sample"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--at", type=float, default=0.8)
    parser.add_argument("--labels", type=int, default=100)
    given = parser.parse_args()
    table = Table(
        title=f"Batches of 10 by {DEFAULT_STRATEGY}, {given.seeds} seeds: accuracy in %, ranked from all "
        f"labels and from those at {given.at:.0%} of each round",
        title_justify="left",
        box=None,
    )
    for heading in ("data", "labels", "from all", "prepared", "difference, points"):
        table.add_column(heading, justify="left" if heading == "data" else "right")
    for name in given.data:
        data = load(name)
        plan = Plan((DEFAULT_STRATEGY,), seeds=given.seeds, labels=given.labels)
        simulator = Simulator(data, plan, memory_store)
        usual, ahead = accuracies(simulator, plan, None), accuracies(simulator, plan, given.at)
        every = sorted({labels for _, labels in usual if labels > 10})
        rows = {str(labels): [labels] for labels in SHOWN if labels in every}
        for words, shown in (rows | {"mean of all": every}).items():
            sides = [
                [
                    100 * sum(side[seed, at] for at in shown) / len(shown)
                    for seed in range(given.seeds)
                ]
                for side in (usual, ahead)
            ]
            found = estimate([b - a for a, b in zip(*sides, strict=True)])
            means = [f"{sum(side) / len(side):.1f}" for side in sides]
            table.add_row(
                data.name, words, *means, f"{found.mean:+.2f} ± {found.standard_error:.2f}"
            )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
