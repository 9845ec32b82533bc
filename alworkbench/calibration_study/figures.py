"""Figures of one kind of prompts and calibration, with 95 % bootstrap intervals over images.

All rows of a comparison see the same resamples, so that the difference of two rows is resampled in pairs.
Predictions are taken as given: an interval does not contain the chance of the temperature that a row
was fitted with, nor that of another sample for the posterior.

Dimensions used in this file
    m  labelled images
    C  classes
    F  figures of each image: FIGURES
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.calibration_study.calibration_figures import Measured, mean_intervals
from alworkbench.evaluation.calibration.brier import BrierParts, brier_parts
from alworkbench.evaluation.calibration.calibration_error import overconfidence
from alworkbench.evaluation.calibration.reliability_diagram import (
    ReliabilityBin,
    reliability_diagram,
)
from alworkbench.evaluation.calibration.risk_coverage import RiskCoverage, risk_coverage
from alworkbench.evaluation.metrics import calibration_interval, measure

FIGURES = ("accuracy", "nlpd", "brier")
"""Figures that are means over images."""
_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class RowFigures:
    """How good the probabilities of one row are."""

    accuracy: Measured
    nlpd: Measured
    """In nats."""
    brier: Measured
    ece: Measured
    """Top label, 15 bins of equal width; the basic bootstrap interval."""
    ece_floor: float
    """Mean ECE of a perfectly calibrated model with these confidences and this number of images."""
    confidence: float
    """Mean probability of the predicted class."""
    overconfidence: float
    """Mean confidence minus accuracy."""
    brier_parts: BrierParts
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: RiskCoverage


def figures_of_images(
    probabilities: Float[Tensor, "m C"], labels: Int[Tensor, "m"]
) -> Float[Tensor, "m F"]:
    """Of each image whether the answer is right, the negative log probability, and the Brier score."""
    right = (probabilities.argmax(dim=-1) == labels).double()
    chosen = probabilities.double().gather(1, labels[:, None])[:, 0]
    onehot = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    squares = (probabilities.double() - onehot).square().sum(dim=-1)
    return torch.stack(
        [right, -chosen.clamp_min(_SMALLEST_PROBABILITY).log(), squares],
        dim=-1,
    )


def row_figures(
    probabilities: Float[Tensor, "m C"], labels: Int[Tensor, "m"], resamples: int, seed: int
) -> RowFigures:
    """Measure the probabilities of a row. Raises ValueError without images."""
    found = measure(probabilities, labels)
    each = _named(figures_of_images(probabilities, labels), resamples, seed)
    confidence, answers = probabilities.double().max(dim=-1)
    right = answers == labels
    low, high = calibration_interval(confidence, right, draws=resamples, seed=seed)
    return RowFigures(
        accuracy=each["accuracy"],
        nlpd=each["nlpd"],
        brier=each["brier"],
        ece=Measured(found.ece, low, high),
        ece_floor=found.ece_floor,
        confidence=float(confidence.mean()),
        overconfidence=overconfidence(confidence, right),
        brier_parts=brier_parts(probabilities, labels),
        reliability=reliability_diagram(confidence, right),
        risk_coverage=risk_coverage(confidence, right),
    )


def differences(
    probabilities: Float[Tensor, "m C"],
    reference: Float[Tensor, "m C"],
    labels: Int[Tensor, "m"],
    resamples: int,
    seed: int,
) -> dict[str, Measured]:
    """FIGURES of the probabilities minus those of a reference on the same images, in pairs."""
    gap = figures_of_images(probabilities, labels) - figures_of_images(reference, labels)
    return _named(gap, resamples, seed)


def seconds_interval(seconds: Float[Tensor, "m"], resamples: int, seed: int) -> Measured:
    """Mean seconds with a percentile interval over the images."""
    (found,) = mean_intervals(seconds[:, None], resamples, seed)
    return found


def _named(values: Float[Tensor, "m F"], resamples: int, seed: int) -> dict[str, Measured]:
    """Means over images with percentile intervals, by the names in FIGURES."""
    return dict(zip(FIGURES, mean_intervals(values, resamples, seed), strict=True))
