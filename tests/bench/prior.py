"""What choosing the prior from the labels is worth, on models whose posteriors differ in scale.

`python -m tests.bench.prior`: accuracy after random labels, mean and standard error over seeds, on dev data
only. `fixed` has the strengths as they are and a residual head of variance 100, which was chosen on
the bundled model; `chosen` is `free-weights`; `linearised` has no residual head. `classes
alike` is `chosen` with the class prior of the pool (`adaptation/logit_adjustment.py`), as in a project
with the goal `balanced`. The probe has the C of best test accuracy, with and without class weights.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import one_hot

from alworkbench.adaptation import learner as learning
from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, Strengths
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.prior import Prior
from alworkbench.encoders.head import Features
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from tests.bench.other_models import clusters, letters

COUNTS = (5, 10, 30, 100, 200, 500)
SEEDS = 4
PENALTIES = tuple(10.0**k for k in range(-3, 3))

Way = Callable[[Learner, Features, torch.Tensor], Learner]


def fixed(start: Learner, labelled: Features, targets: torch.Tensor) -> Learner:
    with patch.object(learning, "choose_prior", lambda *_: Prior(1.0, 100.0)):
        return learn(start, labelled, targets, residual_head=True)


WAYS: dict[str, Way] = {
    "linearised": learn,
    "fixed": fixed,
    "chosen": partial(learn, residual_head=True),
}
ALIKE = "classes alike"


def accuracies(data: SimulationData, seed: int) -> dict[str, list[float]]:
    """Accuracy of each learning method, at each of COUNTS."""
    strengths = Strengths()
    belief = data.posterior.tempered(strengths.image, strengths.text)
    start = zero_shot(data.head, belief, data.class_activations)
    test, truth = data.table.gather(data.test), data.labels[data.test]
    order = torch.randperm(len(data.pool), generator=torch.Generator().manual_seed(seed))
    pool = data.pool[order]
    seen = data.table.gather(pool[-DEFAULT_SETTINGS.class_prior_images :])

    def right(logits: torch.Tensor) -> float:
        return float((logits.argmax(dim=1) == truth).double().mean())

    found: dict[str, list[float]] = {"zero-shot": [right(start.logits(test))] * len(COUNTS)}
    for count in COUNTS:
        rows = pool[:count]
        labelled, labels = data.table.gather(rows), data.labels[rows]
        targets = one_hot(labels, len(data.classes)).double()
        for name, way in WAYS.items():
            found.setdefault(name, []).append(right(way(start, labelled, targets).logits(test)))
        alike = learn(start, labelled, targets, residual_head=True, pool=seen)
        found.setdefault(ALIKE, []).append(right(alike.logits(test)))
        found.setdefault("probe, best by test", []).append(probed(labelled, labels, test, truth))
    return found


def probed(labelled: Features, labels: torch.Tensor, test: Features, truth: torch.Tensor) -> float:
    """Logistic regression on activations as long as their mean is; what no user could know is its C."""
    if len(labels.unique()) < 2:
        return math.nan
    length = labelled.activations.norm(dim=1).mean()
    x, y = (part.activations / length for part in (labelled, test))
    scores = [
        LogisticRegression(C=penalty, class_weight=weight, max_iter=500)
        .fit(x, labels)
        .score(y, truth)
        for penalty in PENALTIES
        for weight in (None, "balanced")
    ]
    return float(max(scores))


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        datas = [load_collection(name, Path(cache)) for name in ("sample", "digits")]
    datas += [clusters("clusters", 1.0), clusters("clusters, names wrong", 6.0), letters()]
    table = Table(title=f"Accuracy after random labels, mean ± standard error, {SEEDS} seeds")
    table.add_column("data")
    table.add_column("learning")
    for count in COUNTS:
        table.add_column(str(count))
    for data in datas:
        seeds = [accuracies(data, seed) for seed in range(SEEDS)]
        for way in seeds[0]:
            values = torch.tensor([found[way] for found in seeds], dtype=torch.float64)
            errors = values.std(dim=0) / SEEDS**0.5
            cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(values.mean(0), errors, strict=True)]
            table.add_row(data.name, way, *cells)
        table.add_section()
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
