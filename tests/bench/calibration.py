"""Calibration of the probabilities on the bundled sample: MAP, temperature-scaled MAP, probit posterior.

The test part is cut in two: each half's temperature is fitted on the other half, so that nothing is
measured on what it was fitted to. Intervals are 95 % bootstrap intervals over the test images.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import ProjectFolder
from alworkbench.datasets.sample import bundled_sample
from alworkbench.evaluation.metrics import calibration_error, measure
from alworkbench.posterior.predictive import logit_moments, probit_logits
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import join
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store

BINS, REPEATS = 20, 1000


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
    console.print(
        f"Variance of a logit under the posterior: median {float(moments.variance.median()):.3f}, "
        f"largest {float(moments.variance.max()):.3f}"
    )


if __name__ == "__main__":
    main()
