"""Data of a reliability diagram: accuracy against confidence, bin by bin.

The bars below 1 / C are empty by construction: the largest of C probabilities is at least 1 / C. A bin
with few images says little; `few` marks it, and its interval shows how little.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from alworkbench.evaluation.calibration.bins import BinRule, bin_confidences
from alworkbench.evaluation.calibration.calibration_error import ECE_BINS
from alworkbench.evaluation.intervals import wilson_interval

FEW_IMAGES = 10
"""A bin with fewer images is drawn pale."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bar, for confidences in (low, high]."""

    low: float
    high: float
    images: int
    confidence: float | None
    """Mean confidence; None for an empty bin, as are the next three."""
    accuracy: float | None
    accuracy_low: float | None
    """95 % Wilson interval of the accuracy."""
    accuracy_high: float | None

    @property
    def few(self) -> bool:
        """Whether the bin has too few images to say much."""
        return self.images < FEW_IMAGES


def reliability_diagram(
    confidence: Float[Tensor, "N"],
    right: Tensor,
    bins: int = ECE_BINS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> tuple[ReliabilityBin, ...]:
    """The bars from low to high confidence, empty ones included.

    The ECE is the mean of |accuracy - confidence| over the bars, weighted by their images. Raises
    ValueError without images.
    """
    cells = bin_confidences(confidence, bins, rule)
    edges = cells.edges.tolist()
    sizes = cells.sizes().tolist()
    said, found = cells.sums(confidence).tolist(), cells.sums(right.double()).tolist()
    bars = []
    for b, images in enumerate(sizes):
        low, high = edges[b], edges[b + 1]
        if images == 0:
            bars.append(ReliabilityBin(low, high, 0, None, None, None, None))
            continue
        ends = wilson_interval(round(found[b]), images)
        bars.append(ReliabilityBin(low, high, images, said[b] / images, found[b] / images, *ends))
    return tuple(bars)
