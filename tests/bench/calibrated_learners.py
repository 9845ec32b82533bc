"""Calibration of the default learner: which temperature makes its probabilities honest, by labels.

    python -m tests.bench.calibrated_learners OUT [FEATURES.npz ...] [--data NAME ...] [--seeds 5]

The learner (`pool-taught`) predicts alpha z + beta g: z are the logits of the learner of the labels, g those
of the pool, alpha and beta are chosen by labels that were left out (`adaptation/pool_taught.py`). Compared
are, each with the same predicted classes except the first:

    labels alone      z: the learner of the labels, not scaled
    not scaled        z + (beta / alpha) g: the logits of the labels count once; g where alpha is 0
    left-out          alpha z + beta g, as the product predicts without an audit set
    audit             the same after a temperature fitted to AUDIT random labels that are never learned from
    mean confidence   the temperature of the zero-shot mean confidence on unlabelled images of the pool
    range             each image's logits scaled to the range of its zero-shot logits
    best              the temperature fitted to the measured images themselves: nobody has it

The audit set is drawn at random from the pool, before the first label, and is no part of the pool that is
asked. Measured are the test part of the data (`test`), and the images of the pool that a run does not see
(`pool`): they have the class shares of the audit set, while a test part may have others.

A finished run is kept in OUT and not run again. Prints the tables of all finished runs: ECE, how far it is
above its floor, NLPD and Brier score, and every cell in which a calibration is worse than none was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.method_cards import POOL_TAUGHT
from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.zero_shot_calibration import (
    match_zero_shot_confidence,
    scale_to_zero_shot_range,
)
from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.encoders.head import Features
from alworkbench.evaluation.calibration.calibration_error import overconfidence
from alworkbench.evaluation.metrics import Metrics, measure
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.simulation.dataset import SimulationData, TestPart, random_rows
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.feature_data import data_of_features
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import Simulator
from store import memory_store
from tests.bench.calibration_tables import (
    SHOWN,
    WAYS,
    WITHIN,
    Table,
    each_set,
    means,
    near_floor,
    off_best,
    worse,
)

STRATEGIES = ("random", DEFAULT_STRATEGY)
COUNTS = (10, 20, 50, 100)
BATCH, AUDIT = 10, 50
UNLABELLED, UNSEEN = 1000, 2000
"""Most unlabelled images that a confidence is matched on; most unseen images of the pool to measure on."""
PARTS = ("test", "pool")
FIGURES = ("accuracy", "nlpd", "brier", "ece", "ece_floor")
GROUPS = {
    "photographs (dev)": ("satellite", "clothing", "signs", "cifar", "grocery"),
    "bundled model (dev)": ("sample", "digits", "glyphs"),
    "bundled model (report)": (
        "fashion",
        "fashion-rare",
        "fashion-duplicates",
        "fashion-outside",
        "patches",
        "textures",
        "shapes",
    ),
}
OWN = "other data"
"""The group of all other data sets."""

COMPARED = (
    ("audit", "not scaled"),
    ("audit", "labels alone"),
    ("audit", "left-out"),
    ("left-out", "not scaled"),
    ("mean confidence", "not scaled"),
    ("range", "not scaled"),
)
"""Ways that are compared cell by cell."""

Values = dict[str, dict[str, dict[str, float]]]
"""Figures by part and way."""


@dataclass(frozen=True)
class SeedParts:
    """What learners of one seed are calibrated with and measured on."""

    audit: TestPart
    unlabelled: Features
    measured: dict[str, TestPart]

    @classmethod
    def of(cls, data: SimulationData, seed: int, plan: Plan) -> SeedParts:
        inputs = data.run_inputs(seed, plan)
        seen = {*inputs.pool, *inputs.audit}

        def part(rows: list[int]) -> TestPart:
            known = torch.tensor([row for row in rows if data.labels[row] >= 0])
            return TestPart(data.table.gather(known), data.labels[known])

        hashes = data.table.hashes
        unseen = [row for row in data.pool.tolist() if hashes[row] not in seen]
        asked = data.table.rows_of(inputs.pool).tolist()
        return cls(
            part(data.table.rows_of(inputs.audit).tolist()),
            data.table.gather(torch.tensor(random_rows(asked, UNLABELLED, seed))),
            {"test": data.test_part(), "pool": part(random_rows(unseen, UNSEEN, seed))},
        )

    def values(self, learner: Learner, start: Learner) -> Values:
        """The figures of every way to calibrate; `start` is the zero-shot model."""
        audited = fit_temperature(learner.logits(self.audit.features), self.audit.labels)
        matched = match_zero_shot_confidence(
            learner.logits(self.unlabelled), start.logits(self.unlabelled)
        )
        scale, found = unit_scale(learner), {}
        for name, part in self.measured.items():
            logits = learner.logits(part.features).double()
            best = fit_temperature(logits, part.labels)
            found[name] = {
                way: figures(scaled, part) | {"temperature": temperature}
                for way, scaled, temperature in (
                    ("labels alone", learner.base.logits(part.features), 1.0),
                    ("not scaled", logits / scale, 1 / scale),
                    ("left-out", logits, 1.0),
                    ("audit", audited.apply(logits), audited.temperature),
                    ("mean confidence", matched.apply(logits), matched.temperature),
                    (
                        "range",
                        scale_to_zero_shot_range(logits, start.logits(part.features).double()),
                        float("nan"),
                    ),
                    ("best", best.apply(logits), best.temperature),
                )
            }
        return found


def unit_scale(learner: Learner) -> float:
    """alpha, or beta where alpha is 0; 1 where both are, or nothing was stacked."""
    term = learner.pool_term
    return 1.0 if term is None else term.label_scale or term.pool_scale or 1.0


def figures(logits: torch.Tensor, part: TestPart) -> dict[str, float]:
    """Figures of logits on a part, with mean confidence minus accuracy."""
    p = logits.softmax(dim=-1)
    found = measure(p, part.labels)
    confidence, answers = p.max(dim=-1)
    surplus = overconfidence(confidence, answers == part.labels)
    return {each: getattr(found, each) for each in FIGURES} | {"overconfidence": surplus}


class Recorder:
    """Stands where a simulation has its test part; keeps what is said of its learners at some counts."""

    def __init__(
        self,
        part: TestPart,
        counts: tuple[int, ...],
        values: Callable[[Learner, Learner], Any],
    ) -> None:
        self._part, self._counts, self._values = part, counts, values
        self._start: Learner | None = None
        self._asked = 0
        self.found: dict[str, Any] = {}

    def measure(self, learner: Learner) -> Metrics:
        """Called with the zero-shot model first, then with the learner of each round."""
        self._start = self._start or learner.base
        if self._asked in self._counts:
            self.found[str(self._asked)] = self._values(learner, self._start)
        self._asked += BATCH
        return self._part.measure(learner)


def recorded(simulator: Simulator, run: Run, recorder: Recorder) -> dict[str, Any]:
    """What the recorder found in one run, by labels."""
    simulator._test = recorder  # type: ignore[assignment]
    for _ in simulator.run(run):
        pass
    return recorder.found


def measured(data: SimulationData, out: Path, plan: Plan) -> None:
    """Run what is not in `out` yet; one JSON file for each run."""
    simulator = Simulator(data, plan, memory_store)
    for run in plan.runs():
        file = out / f"{data.name}-{run.arm.strategy}-{run.seed}.json"
        if file.exists():
            continue
        parts = SeedParts.of(data, run.seed, plan)
        found = recorded(simulator, run, Recorder(parts.measured["test"], COUNTS, parts.values))
        file.write_text(json.dumps(found))
        print(file.stem, flush=True)


def tables(out: Path) -> list[str]:
    """Everything that the finished runs say, in Markdown."""
    lines = []
    for part in PARTS:
        table = Table.read(out, part, STRATEGIES, COUNTS)
        known = [name for names in GROUPS.values() for name in names]
        others = tuple(dict.fromkeys(cell[0] for cell in table.values if cell[0] not in known))
        groups = {
            title: found
            for title, names in (*GROUPS.items(), (OWN, others))
            if (found := tuple(name for name in names if table.cells([name])))
        }
        named = tuple(name for names in groups.values() for name in names)
        lines += [f"## Measured on: {part}", f"Ways in order: {', '.join(WAYS)}", ""]
        lines += ["| data, sets | labels by | labels | ECE | NLPD | Brier | ECE above its floor |"]
        lines += ["|---" * 7 + "|"]
        for title, names in {**groups, "all": named}.items():
            lines += means(table, title, names)
        lines += ["", "| data | labels by | ECE | floor of audit | NLPD | SD of audit | seeds |"]
        lines += ["|---" * 7 + "|", *each_set(table, named, 50), ""]
        lines += [
            f"| data | labels by | way | ECE above floor | within {WITHIN} | largest | overconfidence |",
            "|---" * 7 + "|",
        ]
        for title, names in {**groups, "all": named}.items():
            lines += near_floor(table, title, names)
        lines += ["", *(off_best(table, title, found) for title, found in groups.items()), ""]
        for figure in SHOWN:
            for way, other in COMPARED:
                lines += worse(table, figure, way, other)
        lines += [""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(STRATEGIES, (POOL_TAUGHT,), (BATCH,), given.seeds, max(COUNTS), AUDIT)
    for path in given.files:
        measured(data_of_features(read_feature_file(path), path), given.out, plan)
    for name in given.data:
        measured(load_collection(name, given.out / "cache"), given.out, plan)
    print("\n".join(tables(given.out)))


if __name__ == "__main__":
    main()
