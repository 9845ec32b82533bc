"""Calibration of the probabilities on the bundled sample: MAP, temperature-scaled MAP, probit posterior.

The test part is cut in two: each half's temperature is fitted on the other half, so that nothing is
measured on what it was fitted to. Intervals are 95 % bootstrap intervals over the test images.

The second table is of learners after random labels: as they are, brought back to the zero-shot confidence
without a label, and with a temperature from other random labels. Means over seeds on the test part.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, Strengths
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.zero_shot_calibration import (
    match_zero_shot_confidence,
    scale_to_zero_shot_range,
)
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import ProjectFolder
from alworkbench.datasets.sample import bundled_sample
from alworkbench.evaluation.calibration.calibration_error import calibration_error, overconfidence
from alworkbench.evaluation.metrics import measure
from alworkbench.posterior.predictive import logit_moments, probit_logits
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData, join
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store

BINS, REPEATS = 20, 1000
SEEDS, LABELS, HELD_OUT = 5, (20, 100), 50


def row_of(probabilities: torch.Tensor, labels: torch.Tensor) -> list[str]:
    """Accuracy, NLPD and ECE with bootstrap intervals, as text."""

    def values(p: torch.Tensor, y: torch.Tensor) -> tuple[float, float, float]:
        found = measure(p, y)
        ece = calibration_error(p.amax(dim=-1), p.argmax(dim=-1) == y, BINS)
        return found.accuracy, found.nlpd, ece

    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(REPEATS):
        rows = torch.randint(0, len(labels), (len(labels),), generator=generator)
        drawn.append(values(probabilities[rows], labels[rows]))
    edges = torch.tensor(drawn).quantile(torch.tensor([0.025, 0.975]), dim=0)
    return [
        f"{value:.3f} [{low:.3f}, {high:.3f}]"
        for value, low, high in zip(values(probabilities, labels), *edges.tolist(), strict=True)
    ]


def learners(data: SimulationData) -> Table:
    """Accuracy, NLPD, ECE and mean confidence minus accuracy of each way to calibrate a learner."""
    strengths = Strengths()
    belief = data.posterior.tempered(strengths.image, strengths.text)
    start = zero_shot(data.head, belief, data.class_activations)
    features, labels = data.table.gather(data.test), data.labels[data.test]
    unadapted = start.logits(features)
    found: dict[tuple[str, int, str], list[tuple[float, ...]]] = {}
    for seed in range(SEEDS):
        order = data.pool[
            torch.randperm(len(data.pool), generator=torch.Generator().manual_seed(seed))
        ]
        order = order[data.labels[order] >= 0]
        held = order[max(LABELS) : max(LABELS) + HELD_OUT]
        unlabelled = data.table.gather(order[max(LABELS) :][: DEFAULT_SETTINGS.pool_images])
        for method in ("free-weights", "pool-taught"):
            for count in LABELS:
                asked = order[:count]
                learner = find_method(method).fit_base(
                    start,
                    data.table.gather(asked),
                    one_hot(data.labels[asked], len(data.classes)).double(),
                    pool=unlabelled[: DEFAULT_SETTINGS.class_prior_images],
                    unlabelled=unlabelled,
                )
                logits = learner.logits(features)
                fit = fit_temperature(learner.logits(data.table.gather(held)), data.labels[held])
                for name, scaled in {
                    "as learned": logits,
                    "zero-shot mean confidence": match_zero_shot_confidence(
                        logits, unadapted
                    ).apply(logits),
                    "zero-shot range": scale_to_zero_shot_range(logits, unadapted),
                    f"temperature of {HELD_OUT} labels": fit.apply(logits),
                }.items():
                    p = scaled.softmax(dim=-1)
                    confidence, answers = p.max(dim=-1)
                    values = measure(p, labels)
                    ece = calibration_error(confidence, answers == labels, BINS)
                    surplus = overconfidence(confidence, answers == labels)
                    found.setdefault((method, count, name), []).append(
                        (values.accuracy, values.nlpd, ece, surplus)
                    )
    table = Table(title=f"Learners, {SEEDS} seeds", box=None, title_justify="left")
    headings = ("learner", "labels", "calibration", "accuracy", "NLPD", "ECE", "overconfidence")
    for heading in headings:
        table.add_column(heading)
    for (method, count, name), rows in found.items():
        mean = torch.tensor(rows, dtype=torch.float64).mean(dim=0)
        table.add_row(method, str(count), name, *(f"{float(each):.3f}" for each in mean))
    return table


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        store = create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
        workbench = Workbench(ProjectFolder(folder), store)
        workbench.images.add(bundled_sample())
        workbench.features.encode()
        truth = sample_truth(workbench)
        data = join(
            "sample",
            workbench.session.engine(),
            workbench.posteriors.newest(),
            workbench.classes.current(),
            truth,
        )
        store.close()
    features, labels = data.table.gather(data.test), data.labels[data.test]
    plain = data.head.logits(features, data.class_activations)
    moments = logit_moments(data.head, data.posterior, features, data.class_activations)
    probit = probit_logits(moments)
    half = (
        torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)) < len(labels) // 2
    )

    def scaled(logits: torch.Tensor) -> tuple[torch.Tensor, str]:
        """Each half at the temperature of the other."""
        out, temperatures = torch.empty_like(logits), []
        for own in (half, ~half):
            fit = fit_temperature(logits[~own], labels[~own])
            out[own] = fit.apply(logits[own])
            temperatures.append(f"{fit.temperature:.2f}")
        return out, " and ".join(temperatures)

    table = Table(
        title=f"Bundled sample, zero-shot, {len(labels)} test images, ECE with {BINS} bins",
        box=None,
        title_justify="left",
    )
    for heading in ("prediction", "temperature", "accuracy", "NLPD", "ECE"):
        table.add_column(heading)
    for name, logits in (("MAP", plain), ("probit posterior", probit)):
        table.add_row(name, "1", *row_of(logits.softmax(dim=-1), labels))
        cooled, temperature = scaled(logits)
        table.add_row(f"{name}, scaled", temperature, *row_of(cooled.softmax(dim=-1), labels))
    console = Console(width=140)
    console.print(table)
    console.print(learners(data))
    console.print(
        f"Variance of a logit under the posterior: median {float(moments.variance.median()):.3f}, "
        f"largest {float(moments.variance.max()):.3f}"
    )


if __name__ == "__main__":
    main()
