"""Accuracy and calibration of one prediction of labelled images, with 95 % intervals over images.

Dimensions used in this file
    N  images
    C  classes
    V  values of each image
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.image_bootstrap import RESAMPLES, middle, resampled_sums
from alworkbench.evaluation.metrics import measure
from alworkbench.project.measurements import intervals


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def apart(self, other: Measured) -> bool:
        """Whether the two intervals have no point in common."""
        return self.high < other.low or other.high < self.low

    @property
    def without_zero(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """Intervals are bootstrap intervals over images; that of the accuracy is Wilson's."""

    images: int
    accuracy: Measured
    nlpd: Measured
    """Mean negative log probability of the label, in nats."""
    ece: Measured
    """Expected calibration error of the top label."""
    ece_floor: float
    """What `ece` would be on average if these confidences were perfectly calibrated."""
    brier: Measured
    """Mean squared distance from the one-hot label, 0 to 2."""
    confidence: Measured
    """Mean probability of the predicted class."""


def figures_of(logits: Float[Tensor, "N C"], labels: Int[Tensor, "N"]) -> CalibrationFigures:
    """The figures of softmax(logits). Raises ValueError without images."""
    p = logits.double().softmax(dim=-1)
    found, ends = measure(p, labels), intervals(p, labels)
    distance = p.clone()
    distance[torch.arange(len(p)), labels] -= 1
    each = torch.stack([distance.square().sum(dim=-1), p.amax(dim=-1)], dim=-1)  # N 2
    brier, confidence = mean_intervals(each)
    return CalibrationFigures(
        found.images,
        Measured(found.accuracy, found.accuracy_low, found.accuracy_high),
        Measured(found.nlpd, *ends["nlpd"]),
        Measured(found.ece, *ends["ece"]),
        found.ece_floor,
        brier,
        confidence,
    )


def log_loss(logits: Float[Tensor, "N C"], labels: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Negative log probability of the label of each image, in nats; its mean is the NLPD."""
    return -logits.double().log_softmax(dim=-1).gather(1, labels[:, None])[:, 0]


def mean_intervals(
    values: Float[Tensor, "N V"], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Measured, ...]:
    """The V means over images with bootstrap intervals; all V see the same resamples."""
    drawn = resampled_sums(values, resamples, seed) / len(values)
    together = zip(values.double().mean(dim=0).tolist(), drawn.T, strict=True)
    return tuple(Measured(mean, *middle(each)) for mean, each in together)
