"""Selective prediction: the error rate among the most confident images, by how many are kept.

The risk at coverage j / N is the error rate of the j most confident images. The area under the curve is
the mean risk over j = 1 ... N (Geifman & El-Yaniv, 2017, arXiv:1705.08500). It depends on the accuracy as
well as on the order, so it is shown beside the area of the best order, right answers first (Geifman, Uziel
& El-Yaniv, 2019, arXiv:1805.08206). Images of equal confidence have no order: the curve is the mean over
all orders of them.

Dimensions used in this file
    N  images
    G  groups of equal confidence
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """A risk-coverage curve. The coverages are 1/N, 2/N, ... 1."""

    coverage: Float[Tensor, "N"]
    risk: Float[Tensor, "N"]
    best_risk: Float[Tensor, "N"]
    """Of the order in which every right answer comes before every wrong one."""

    @property
    def area(self) -> float:
        """Mean risk over the coverages; the error rate itself if confidence says nothing. Lower is better."""
        return float(self.risk.mean())

    @property
    def best_area(self) -> float:
        """The smallest area that is possible with this accuracy."""
        return float(self.best_risk.mean())

    @property
    def excess_area(self) -> float:
        """Area minus the best area: the order alone, 0 if it is perfect."""
        return self.area - self.best_area


def risk_coverage(confidence: Float[Tensor, "N"], right: Tensor) -> RiskCoverage:
    """The curve of confidences against whether the answers are right; any increasing score will do.

    Raises ValueError without images.
    """
    count = len(confidence)
    if count == 0:
        raise ValueError("a risk-coverage curve needs images, found none")
    wrong = 1 - right.double().cpu()
    _, group, sizes = torch.unique(-confidence.cpu(), return_inverse=True, return_counts=True)
    errors = torch.zeros(len(sizes), dtype=torch.float64).index_add_(0, group, wrong)  # G
    # In the middle of a group each further image is wrong with the error rate of the group.
    risk = torch.repeat_interleave(errors / sizes, sizes).cumsum(0)
    kept = torch.arange(1, count + 1, dtype=torch.float64)
    best = wrong.sort().values.cumsum(0)
    return RiskCoverage(kept / count, risk / kept, best / kept)
