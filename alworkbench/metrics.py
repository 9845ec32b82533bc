"""How good and how honest predictions are, measured on labelled images that were not learned from.

Dimensions used in this file
    N  images
    C  classes
    B  bins
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

ECE_BINS = 15
"""Equal-width bins (lo, hi] of the top probability."""

_SMALLEST_PROBABILITY = 1e-12
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of N predictions against their labels."""

    images: int
    accuracy: float
    accuracy_low: float
    """95 % Wilson interval."""
    accuracy_high: float
    balanced_accuracy: float
    """Mean recall of the classes that occur."""
    nlpd: float
    """Mean negative log probability of the label, in nats."""
    brier: float
    """Mean squared distance from the one-hot label, between 0 and 2."""
    ece: float
    """Expected calibration error of the top label."""
    recall: tuple[float | None, ...]
    """Share found of each class; None where the class does not occur."""

    def as_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = asdict(self)
        values["per_class"] = dict(zip(names, values.pop("recall"), strict=True))
        return values


def measure(probabilities: Float[Tensor, "N C"], labels: Int[Tensor, "N"]) -> Metrics:
    """Every metric of one set of predictions; at least one is needed."""
    count, classes = probabilities.shape
    if count == 0:
        raise ValueError("nothing to measure: no labelled images were given")
    probabilities = probabilities.double()
    right = probabilities.argmax(dim=-1) == labels  # N
    chosen = probabilities.gather(1, labels[:, None])[:, 0]  # N
    low, high = wilson_interval(int(right.sum()), count)
    totals = torch.bincount(labels, minlength=classes)  # C
    found = torch.bincount(labels[right], minlength=classes)  # C
    recall = tuple(
        int(f) / int(t) if t else None for f, t in zip(found.tolist(), totals.tolist(), strict=True)
    )
    present = [share for share in recall if share is not None]
    onehot = torch.nn.functional.one_hot(labels, classes)
    return Metrics(
        images=count,
        accuracy=float(right.double().mean()),
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=sum(present) / len(present),
        nlpd=float(-chosen.clamp_min(_SMALLEST_PROBABILITY).log().mean()),
        brier=float((probabilities - onehot).square().sum(dim=-1).mean()),
        ece=calibration_error(probabilities.amax(dim=-1), right),
        recall=recall,
    )


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); honest near 0 and 1, and for small counts."""
    share = right / count
    scale = 1 + _Z95**2 / count
    centre = (share + _Z95**2 / (2 * count)) / scale
    spread = share * (1 - share) / count + _Z95**2 / (4 * count**2)
    half = _Z95 * math.sqrt(spread) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def calibration_error(confidence: Float[Tensor, "N"], right: Tensor, bins: int = ECE_BINS) -> float:
    """sum_b n_b / N |accuracy in b - mean confidence in b| over equal-width bins (lo, hi].

    It has a floor that falls with N even for a perfectly calibrated model: compare it at equal N only.
    """
    bin_of = (confidence * bins).ceil().long().clamp(1, bins) - 1  # N
    gap = torch.zeros(bins, dtype=torch.float64)
    gap.index_add_(0, bin_of.cpu(), (right.double() - confidence.double()).cpu())
    return float(gap.abs().sum() / len(confidence))
