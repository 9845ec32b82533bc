"""Expected calibration error (ECE) of the top label, with what chance alone would show.

    ECE = sum_b n_b / N |accuracy in bin b - mean confidence in bin b|

The ECE of N images is larger than that of infinitely many. `calibration_floor` is the mean that a
perfectly calibrated model with the same confidences would show. Compare two values only at equal N, equal
bins and equal rule. ECE is no proper score: a prediction of the class frequencies for every image has the
ECE 0. Read it beside the negative log-likelihood or the Brier score, and fit nothing by it.

Guo et al., 2017, arXiv:1706.04599; equal mass: Nixon et al., 2019, arXiv:1904.01685.

Dimensions used in this file
    N  images
    B  bins
    K  draws
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.evaluation.calibration.bins import BinRule, bin_confidences

ECE_BINS = 15
"""Bins of the top probability."""
FLOOR_DRAWS = 200
"""Draws for the floor of the calibration error: its standard error is then below 2 % of it."""

FLOOR_SEED = 20_240_229
"""Fixed, so that equal predictions have equal floors."""
_NUMBERS_AT_ONCE = 2**22


def calibration_error(
    confidence: Float[Tensor, "N"],
    right: Tensor,
    bins: int = ECE_BINS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> float:
    """ECE of top probabilities against whether the top label is right.

    It has a floor that falls with N even for a perfectly calibrated model (`calibration_floor`):
    compare it at equal N only.
    """
    gap = right.double() - confidence.double()
    return float(bin_confidences(confidence, bins, rule).sums(gap).abs().sum() / len(confidence))


def overconfidence(confidence: Float[Tensor, "N"], right: Tensor) -> float:
    """Mean confidence minus accuracy: above 0 if the model is too confident on average."""
    return float((confidence.double() - right.double()).mean())


def calibration_floor(
    confidence: Float[Tensor, "N"],
    bins: int = ECE_BINS,
    draws: int = FLOOR_DRAWS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> float:
    """Mean calibration error of a perfectly calibrated model with these confidences.

    right_i ~ Bernoulli(confidence_i), `draws` times with a fixed seed: what is left of the
    calibration error is the chance of N images. About proportional to 1 / sqrt(N).
    """
    confidence = confidence.double().cpu()
    count = len(confidence)
    cells = bin_confidences(confidence, bins, rule)
    member = torch.nn.functional.one_hot(cells.member, cells.count).double()  # N B
    generator = torch.Generator().manual_seed(FLOOR_SEED)
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
    """95 % bootstrap interval of the calibration error (equal width) over images, never below 0.

    The error of a resample is larger on average than that of the sample, as the sample's is larger
    than the truth. The basic interval (2 ece - quantile) takes this out once; the percentile
    interval would add it a second time.
    """
    gap = right.double().cpu() - confidence.double().cpu()
    count = len(gap)
    cells = torch.nn.functional.one_hot(bin_confidences(confidence, bins).member, bins).double()
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
