"""The metrics of predictions on labelled images that nothing was learned from.

Dimensions used in this file
    N  images
    C  classes
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.calibration.brier import brier_score
from alworkbench.evaluation.calibration.calibration_error import (
    ECE_BINS,
    FLOOR_DRAWS,
    calibration_error,
    calibration_floor,
    calibration_interval,
)
from alworkbench.evaluation.intervals import wilson_interval

__all__ = [
    "ECE_BINS",
    "FLOOR_DRAWS",
    "Metrics",
    "calibration_error",
    "calibration_floor",
    "calibration_interval",
    "macro_f1",
    "measure",
]

_SMALLEST_PROBABILITY = 1e-12


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
    macro_f1: float
    """Mean F1 of the classes that occur, as labels or as predictions."""
    nlpd: float
    """Mean negative log probability of the label, in nats."""
    brier: float
    """Mean squared distance from the one-hot label, between 0 and 2."""
    ece: float
    """Expected calibration error of the top label."""
    ece_floor: float
    """What `ece` would be on average if these confidences were perfectly calibrated."""
    recall: tuple[float | None, ...]
    """Share found of each class; None where the class does not occur."""

    def as_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """All values, with recall by class name."""
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
    confidence, answers = probabilities.max(dim=-1)  # N, N
    return Metrics(
        images=count,
        accuracy=float(right.double().mean()),
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=sum(present) / len(present),
        macro_f1=macro_f1(answers, labels, classes),
        nlpd=float(-chosen.clamp_min(_SMALLEST_PROBABILITY).log().mean()),
        brier=brier_score(probabilities, labels),
        ece=calibration_error(confidence, right),
        ece_floor=calibration_floor(confidence),
        recall=recall,
    )


def macro_f1(answers: Int[Tensor, "N"], labels: Int[Tensor, "N"], classes: int) -> float:
    """Mean over classes of 2 tp / (2 tp + fp + fn), without a weight for their sizes.

    A class that occurs neither in labels nor in answers is left out; one that is answered but never
    right, or never answered, counts as 0.
    """
    found = torch.bincount(labels[answers == labels], minlength=classes).double()  # C
    both = torch.bincount(labels, minlength=classes) + torch.bincount(answers, minlength=classes)
    occurs = both > 0
    return float((2 * found[occurs] / both[occurs]).mean())
