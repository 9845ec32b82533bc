"""Accuracy and calibration of predictions on labelled images that nothing was learned from.

Dimensions used in this file
    N  images
    C  classes
    B  bins
    K  draws
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.intervals import wilson_interval

ECE_BINS = 15
"""Equal-width bins (lo, hi] of the top probability."""
FLOOR_DRAWS = 200
"""Draws for the floor of the calibration error: its standard error is then below 2 % of it."""

_SMALLEST_PROBABILITY = 1e-12
_NUMBERS_AT_ONCE = 2**22
_FLOOR_SEED = 20_240_229
"""Fixed, so that equal predictions have equal floors."""


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
    onehot = torch.nn.functional.one_hot(labels, classes)
    confidence, answers = probabilities.max(dim=-1)  # N, N
    return Metrics(
        images=count,
        accuracy=float(right.double().mean()),
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=sum(present) / len(present),
        macro_f1=macro_f1(answers, labels, classes),
        nlpd=float(-chosen.clamp_min(_SMALLEST_PROBABILITY).log().mean()),
        brier=float((probabilities - onehot).square().sum(dim=-1).mean()),
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


def calibration_error(confidence: Float[Tensor, "N"], right: Tensor, bins: int = ECE_BINS) -> float:
    """sum_b n_b / N |accuracy in b - mean confidence in b| over equal-width bins (lo, hi].

    It has a floor that falls with N even for a perfectly calibrated model (`calibration_floor`):
    compare it at equal N only.
    """
    bin_of = _bins(confidence, bins)  # N
    gap = torch.zeros(bins, dtype=torch.float64)
    gap.index_add_(0, bin_of.cpu(), (right.double() - confidence.double()).cpu())
    return float(gap.abs().sum() / len(confidence))


def calibration_floor(
    confidence: Float[Tensor, "N"], bins: int = ECE_BINS, draws: int = FLOOR_DRAWS
) -> float:
    """Mean calibration error of a perfectly calibrated model with these confidences.

    right_i ~ Bernoulli(confidence_i), `draws` times with a fixed seed: what is left of the
    calibration error is the chance of N images. About proportional to 1 / sqrt(N).
    """
    confidence = confidence.double().cpu()
    count = len(confidence)
    member = torch.nn.functional.one_hot(_bins(confidence, bins), bins).double()  # N B
    generator = torch.Generator().manual_seed(_FLOOR_SEED)
    expected = confidence @ member  # B
    total, step = 0.0, max(1, _NUMBERS_AT_ONCE // count)
    for start in range(0, draws, step):
        size = (min(step, draws - start), count)
        right = torch.rand(size, generator=generator, dtype=torch.float64) < confidence  # K N
        total += float((right.double() @ member - expected).abs().sum())
    return total / (draws * count)


def calibration_interval(
    confidence: Float[Tensor, "N"],
    right: Tensor,
    bins: int = ECE_BINS,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % bootstrap interval of the calibration error over images, never below 0.

    The error of a resample is larger on average than that of the sample, as the sample's is larger
    than the truth. The basic interval (2 ece - quantile) takes this out once; the percentile
    interval would add it a second time.
    """
    gap = right.double().cpu() - confidence.double().cpu()
    count = len(gap)
    cells = torch.nn.functional.one_hot(_bins(confidence.cpu(), bins), bins).double()
    cells = cells * gap[:, None]  # N B
    generator = torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, draws, step := max(1, _NUMBERS_AT_ONCE // (count * bins))):
        size = (min(step, draws - start), count)
        chosen = torch.randint(count, size, generator=generator)  # K N
        found.append(cells[chosen].sum(dim=1).abs().sum(dim=-1) / count)
    ends = torch.cat(found).quantile(torch.tensor([0.975, 0.025], dtype=torch.float64))
    middle = float(cells.sum(dim=0).abs().sum()) / count
    low, high = (max(0.0, 2 * middle - float(end)) for end in ends)
    return low, high


def _bins(confidence: Tensor, bins: int) -> Tensor:
    return (confidence * bins).ceil().long().clamp(1, bins) - 1
