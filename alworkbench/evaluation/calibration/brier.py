"""The Brier score and its parts.

    Brier = 1/N sum_i sum_k (p_ik - 1[y_i = k])^2          between 0 and 2
          = reliability - resolution + uncertainty + within

For each class, images are binned by p_k; the parts are summed over the classes. Murphy (1973) has the
first three parts, which sum to the score if all probabilities in a bin are equal. `within` is what their
spread inside the bins adds (Stephenson, Coelho & Jolliffe, 2008), so that the sum is exact.

Dimensions used in this file
    N  images
    C  classes
    B  bins
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.calibration.bins import BinRule, bin_confidences
from alworkbench.evaluation.calibration.calibration_error import ECE_BINS


def brier_score(probabilities: Float[Tensor, "N C"], labels: Int[Tensor, "N"]) -> float:
    """Mean squared distance from the one-hot label, between 0 and 2; a proper score."""
    onehot = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return float((probabilities.double() - onehot).square().sum(dim=-1).mean())


@dataclass(frozen=True, slots=True)
class BrierParts:
    """The parts of a Brier score."""

    reliability: float
    """Squared distance of mean probability and frequency in the bins: 0 if calibrated. Lower is better."""
    resolution: float
    """How far frequencies in the bins differ from those of all images. Higher is better."""
    uncertainty: float
    """The score of a prediction of the class frequencies: that of the labels, not of the model."""
    within: float
    """What the spread of probabilities inside the bins adds; small with many images and bins."""

    @property
    def score(self) -> float:
        """The Brier score."""
        return self.reliability - self.resolution + self.uncertainty + self.within


def brier_parts(
    probabilities: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    bins: int = ECE_BINS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> BrierParts:
    """The parts of `brier_score`, whose sum it is up to rounding.

    Raises ValueError without images.
    """
    probabilities, labels = probabilities.double().cpu(), labels.cpu()
    classes = probabilities.shape[1]
    reliability = resolution = uncertainty = within = 0.0
    for k in range(classes):
        p, there = probabilities[:, k], (labels == k).double()  # N, N
        cells = bin_confidences(p, bins, rule)
        sizes = cells.sizes().double().clamp_min(1)
        said, found = cells.sums(p) / sizes, cells.sums(there) / sizes  # B, B
        base = there.mean()
        reliability += float((said - found)[cells.member].square().mean())
        resolution += float((found - base)[cells.member].square().mean())
        uncertainty += float(base * (1 - base))
        spread = p - said[cells.member]
        within += float((spread.square() - 2 * spread * there).mean())
    return BrierParts(reliability, resolution, uncertainty, within)
