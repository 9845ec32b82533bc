"""What it costs to rank each round from a share of the labels before it: `python -m tests.bench.prepared`.

The same runs several times: with a pause between rounds, so that all labels rank, and with rounds that are
prepared at a share of the answers (`project.prepared_rounds`). Figures are accuracies on the test part;
differences are paired by seed, with a 95 % t-interval over seeds and the p of sign flips. A row `all` takes
every collection and seed as one pair. With `--keep FOLDER`, accuracies are kept there and no run is repeated,
so several processes can share the work.
Arguments: bundled collections or features files, `--seeds N`, `--at SHARE ...`, `--batch N ...` and
`--labels N ...` (for each batch).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import DEFAULT_ADAPTATION, DEFAULT_STRATEGY, Arm
from alworkbench.evaluation.intervals import Floats, estimate
from alworkbench.evaluation.paired_tests import sign_flip_p
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.feature_data import data_of_features
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import Simulator
from store import memory_store

Curve = dict[int, float]
"""Labels -> accuracy in % on the test part, of one run."""


def load(name: str) -> SimulationData:
    path = Path(name)
    if path.suffix == ".npz":
        return data_of_features(read_feature_file(path), path)
    with tempfile.TemporaryDirectory() as cache:
        return load_collection(name, Path(cache))


def curve_of(simulator: Simulator, run: Run, share: float | None, keep: Path | None) -> Curve:
    labels = simulator.plan.labels
    name = f"{simulator.data.name}-{run.name}-{labels}-{'all' if share is None else share}.json"
    kept = None if keep is None else keep / name
    if kept is not None and kept.is_file():
        return {int(at): found for at, found in json.loads(kept.read_text()).items()}
    curve = {point.asked: 100 * point.accuracy for point in simulator.run(run, share)}
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(curve).encode())
    return curve


def rows_of(
    curves: list[Curve], others: list[Curve], batch: int
) -> dict[str, tuple[Floats, Floats]]:
    """Accuracies of each seed, in both ways, after two rounds, at the end, and on average over rounds.

    The first round is ranked alike in both ways, so it is left out of the average.
    """
    later = sorted(at for at in curves[0] if at > batch)
    looks = {str(later[0]): later[:1], str(later[-1]): later[-1:], "mean": later}
    return {
        words: (
            np.array([np.mean([each[at] for at in shown]) for each in curves]),
            np.array([np.mean([each[at] for at in shown]) for each in others]),
        )
        for words, shown in looks.items()
    }


def add_row(table: Table, cells: tuple[str, ...], usual: Floats, ahead: Floats) -> None:
    found = estimate(ahead - usual)
    table.add_row(
        *cells,
        str(len(usual)),
        f"{usual.mean():.1f}",
        f"{ahead.mean():.1f}",
        f"{found.mean:+.2f}",
        f"{found.low:+.2f} to {found.high:+.2f}",
        f"{float(sign_flip_p(ahead - usual)):.3f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["sample"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--at", type=float, nargs="*", default=[0.8])
    parser.add_argument("--batch", type=int, nargs="+", default=[10])
    parser.add_argument("--labels", type=int, nargs="+", default=[100])
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    table = Table(
        title=f"{DEFAULT_STRATEGY}: accuracy in %, each round ranked from all labels, and prepared from "
        f"those at a share of the round before",
        title_justify="left",
        box=None,
    )
    for heading in ("batch", "at", "data", "labels", "seeds", "from all", "prepared", "difference"):
        table.add_column(heading, justify="left" if heading == "data" else "right")
    table.add_column("95 % interval", justify="right")
    table.add_column("p", justify="right")
    found: dict[tuple[int, float], dict[str, tuple[Floats, Floats]]] = {}
    for name in given.data:
        data = load(name)
        simulators = {
            batch: Simulator(data, Plan((DEFAULT_STRATEGY,), labels=labels), memory_store)
            for batch, labels in zip(given.batch, given.labels, strict=True)
        }
        curves: dict[tuple[int, float | None], list[Curve]] = {}
        for seed in range(given.seeds):
            for batch in given.batch:
                run = Run(Arm(DEFAULT_STRATEGY, DEFAULT_ADAPTATION, batch), seed)
                for share in (None, *given.at):
                    made = curve_of(simulators[batch], run, share, given.keep)
                    curves.setdefault((batch, share), []).append(made)
        for batch in given.batch:
            for share in given.at:
                rows = rows_of(curves[batch, None], curves[batch, share], batch)
                for words, sides in rows.items():
                    add_row(table, (str(batch), f"{share:.0%}", data.name, words), *sides)
                found.setdefault((batch, share), {})[data.name] = rows["mean"]
    for (batch, share), sides_of in found.items():
        sides = [np.concatenate(each) for each in zip(*sides_of.values(), strict=True)]
        add_row(table, (str(batch), f"{share:.0%}", "all", "mean"), sides[0], sides[1])
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
