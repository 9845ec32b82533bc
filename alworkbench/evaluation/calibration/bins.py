"""Bins of confidences under a named rule.

Every bin is half-open, (low, high], so 0.5 lies in the lower of two equal halves, and 1.0 in the last bin.
Equal confidences always share a bin. Therefore no figure depends on the order of the images.

Dimensions used in this file
    N  confidences
    B  bins
    E  edges, one more than bins
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor


class BinRule(StrEnum):
    """How confidences are binned."""

    EQUAL_WIDTH = "equal-width"
    """Bins of the same width on [0, 1]."""
    EQUAL_MASS = "equal-mass"
    """Bins with the same number of confidences, as far as ties allow (adaptive bins)."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bin of each confidence."""

    edges: Float[Tensor, "E"]
    """Increasing, from 0 to 1. Bin b is (edges[b], edges[b + 1]]; the first one holds 0 as well."""
    member: Int[Tensor, "N"]
    """Bin of each confidence, from 0 to B - 1."""

    @property
    def count(self) -> int:
        """B; fewer than were asked for if equal confidences leave no more."""
        return len(self.edges) - 1

    def sums(self, values: Float[Tensor, "N"]) -> Float[Tensor, "B"]:
        """Sum of the values in each bin, on the CPU in float64."""
        found = torch.zeros(self.count, dtype=torch.float64)
        return found.index_add_(0, self.member, values.double().cpu())

    def sizes(self) -> Int[Tensor, "B"]:
        """Confidences in each bin; bins of equal width may be empty."""
        return torch.bincount(self.member, minlength=self.count)


def bin_confidences(
    confidence: Float[Tensor, "N"], bins: int, rule: BinRule = BinRule.EQUAL_WIDTH
) -> Bins:
    """Bins of confidences in [0, 1], on the CPU.

    Raises ValueError without confidences, and for less than one bin.
    """
    if len(confidence) == 0:
        raise ValueError("nothing to bin: no confidences were given")
    if bins < 1:
        raise ValueError(f"at least one bin is needed, found {bins}")
    confidence = confidence.cpu()
    if rule is BinRule.EQUAL_WIDTH:
        edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        member = (confidence * bins).ceil().long().clamp(1, bins) - 1
        return Bins(edges, member)
    # The largest confidence of each of B nearly equal parts of the sorted ones is the upper edge.
    confidence = confidence.double().contiguous()
    ends = torch.arange(1, bins) * len(confidence) // bins - 1
    inner = confidence.sort().values[ends[ends >= 0]].unique()
    inner = inner[(inner > 0) & (inner < confidence.max())]
    edges = torch.cat([torch.zeros(1), inner, torch.ones(1)]).to(torch.float64)
    return Bins(edges, torch.searchsorted(inner, confidence))
