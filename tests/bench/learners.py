"""What the pool teaches: the default learner against the learner of the labels alone, on the same labels.

    python -m tests.bench.learners OUT [FEATURES.npz ...] [--data NAME ...] [--seeds 10] [--labels 200]
        [--strategy NAME ...] [--only WORD] [--probe]

Data: the collections of `--data`, or else labelled features files, the dev collections and the models of
`other_models`. Strategies look at the learner of the labels, so one run measures both learners on the same
labels. With `--probe`, a linear probe is measured on the labels of `random`. A finished run is kept in OUT
and not run again.

Prints Markdown. First accuracy, balanced accuracy, NLPD and ECE after 10 to 200 labels: the mean over the
seeds, with the standard error of the difference in balanced accuracy. Then the labels that the default saves
against random with each learner, to the balanced accuracy that random reaches on average with 50 and 100
labels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.method_cards import POOL_TAUGHT
from alworkbench.core.domain import DEFAULT_STRATEGY, Arm
from alworkbench.evaluation.curves import Runs
from alworkbench.evaluation.label_savings import saving, target_of
from alworkbench.evaluation.metrics import Metrics
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.report.wording import saved_words
from alworkbench.simulation.dataset import SimulationData, TestPart
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.feature_data import data_of_features
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import Simulator
from store import memory_store
from tests.bench.other_models import clusters, letters, rare_letters

STRATEGIES = ("random", "margin", DEFAULT_STRATEGY)
PROBE = "probe"
TARGETS = (50, 100)
LEVEL = "balanced_accuracy"
"""What the savings are about."""
LEARNERS = ("labels", "pool")
COUNTS = (0, 10, 20, 50, 100, 200)
METRICS = ("accuracy", "balanced_accuracy", "nlpd", "ece")


class BothLearners(TestPart):
    """Measures a learner, and keeps the metrics of the same learner without what the pool taught."""

    def __init__(self, part: TestPart) -> None:
        for field in fields(TestPart):
            object.__setattr__(self, field.name, getattr(part, field.name))
        object.__setattr__(self, "of_labels", [])

    def measure(self, learner: Learner) -> Metrics:
        self.of_labels.append(super().measure(learner.base))  # type: ignore[attr-defined]
        return super().measure(learner)


def data_sets(
    files: list[Path], collections: list[str], cache: Path, only: str
) -> Iterator[SimulationData]:
    made = dev_sets(files, cache) if not collections else {}
    made |= {name: lambda name=name: load_collection(name, cache) for name in collections}
    yield from (make() for name, make in made.items() if only in name)


def dev_sets(files: list[Path], cache: Path) -> dict[str, Callable[[], SimulationData]]:
    return {
        **{
            path.stem: lambda path=path: data_of_features(read_feature_file(path), path)
            for path in files
        },
        **{
            name: lambda name=name: load_collection(name, cache)
            for name in ("sample", "digits", "glyphs")
        },
        "letters": letters,
        "rare letters": lambda: rare_letters("rare letters", 0),
        "clusters": lambda: clusters("clusters", 1.0),
        "clusters, names wrong": lambda: clusters("clusters, names wrong", 6.0),
    }


def measured(data: SimulationData, name: str, out: Path, plan: Plan) -> None:
    """Run what is not in `out` yet; one JSON file for each run."""
    simulator = Simulator(data, plan, memory_store)
    for run in plan.runs():
        file = out / f"{name}-{run.arm.strategy}-{run.seed}.json"
        if file.exists():
            continue
        part = BothLearners(data.test_part())
        simulator._test = part
        points = list(simulator.run(run))
        both = {"labels": part.of_labels, "pool": points}  # type: ignore[attr-defined]
        rows = {
            learner: [{each: getattr(point, each) for each in METRICS} for point in found]
            for learner, found in both.items()
        }
        file.write_text(json.dumps({"asked": [point.asked for point in points], **rows}))
        print(file.stem, flush=True)


def probed(data: SimulationData, name: str, out: Path, plan: Plan) -> None:
    """The same for a linear probe on the labels of `random`."""
    simulator = Simulator(data, plan, memory_store)
    for run in plan.runs():
        file = out / f"{name}-{PROBE}-{run.seed}.json"
        if file.exists():
            continue
        points = list(simulator.run(run))
        rows = [{each: getattr(point, each) for each in METRICS} for point in points]
        file.write_text(json.dumps({"asked": [point.asked for point in points], PROBE: rows}))
        print(file.stem, flush=True)


def curves(out: Path, name: str, seeds: int, metric: str) -> dict[tuple[str, str], Runs]:
    """The finished runs by (strategy, learner), those of the same seeds."""
    wanted = [(strategy, learner) for strategy in STRATEGIES for learner in LEARNERS]
    found = {}
    for strategy, learner in [*wanted, (PROBE, PROBE)]:
        files = {seed: out / f"{name}-{strategy}-{seed}.json" for seed in range(seeds)}
        runs = {k: json.loads(file.read_text()) for k, file in files.items() if file.exists()}
        if len(runs) == seeds:
            asked = np.array(runs[0]["asked"], dtype=float)
            lines = np.array([[row[metric] for row in run[learner]] for run in runs.values()])
            chosen = "random" if strategy == PROBE else strategy
            found[chosen, learner] = Runs(Arm(chosen, learner, 10), tuple(runs), asked, lines)
    return found


def savings(out: Path, name: str, seeds: int) -> list[str]:
    """What the default saves, with either learner, against random with each learner."""
    every = curves(out, name, seeds, LEVEL)
    lines = []
    for learner in LEARNERS:
        if (DEFAULT_STRATEGY, learner) not in every or ("random", learner) not in every:
            continue
        own, same = every[DEFAULT_STRATEGY, learner], every["random", learner]
        for count in TARGETS:
            level = target_of(same, LEVEL, count, f"random, {learner}")
            cells = [
                saved_words(saving(own, every["random", other], level))
                if ("random", other) in every
                else ""
                for other in ("pool", "labels", PROBE)
            ]
            lines.append(
                f"| {name} | {learner} | {count}: {level.value:.3f} | {' | '.join(cells)} |"
            )
    return lines


def table(out: Path, name: str, seeds: int) -> list[str]:
    lines = []
    for strategy in STRATEGIES:
        found = [
            json.loads(file.read_text())
            for seed in range(seeds)
            if (file := out / f"{name}-{strategy}-{seed}.json").exists()
        ]
        if not found:
            continue
        at = [k for k, asked in enumerate(found[0]["asked"]) if asked in COUNTS]
        values = {
            (learner, each): np.array([[run[learner][k][each] for k in at] for run in found])
            for learner in LEARNERS
            for each in METRICS
        }
        gain = values["pool", "balanced_accuracy"] - values["labels", "balanced_accuracy"]
        error = gain.std(axis=0, ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else 0 * gain[0]
        for learner in LEARNERS:
            cells = [
                " ".join(f"{x:.3f}" for x in values[learner, each].mean(axis=0)) for each in METRICS
            ]
            lines.append(f"| {name} | {strategy} | {learner} | {' | '.join(cells)} | |")
        lines.append(
            f"| | | gain | | {' '.join(f'{x:+.3f}' for x in gain.mean(axis=0))} "
            f"(± {' '.join(f'{x:.3f}' for x in error)}) | | | {len(found)} seeds |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--only", default="")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--strategy", action="append", choices=STRATEGIES)
    parser.add_argument("--probe", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    strategies = tuple(given.strategy or STRATEGIES)
    plan = Plan(strategies, (POOL_TAUGHT,), seeds=given.seeds, labels=given.labels)
    lines = [f"| data | strategy | learner | {' | '.join(METRICS)} | |", "|---" * 8 + "|"]
    saved = [
        "| data | default with | random's level | saved against random, pool | saved, labels | saved, probe |"
    ]
    saved.append("|---" * 6 + "|")
    for data in data_sets(given.files, given.data, given.out / "cache", given.only):
        measured(data, data.name, given.out, plan)
        if given.probe:
            alone = Plan(("random",), (PROBE,), seeds=given.seeds, labels=given.labels)
            probed(data, data.name, given.out, alone)
        lines += table(given.out, data.name, given.seeds)
        saved += savings(given.out, data.name, given.seeds)
    print("\n".join([*lines, "", *saved]))


if __name__ == "__main__":
    main()
