"""Class-wise calibration error: every probability against whether its class is the label.

    1/C sum_k sum_b n_kb / N |share of class k in bin b - mean p_k in bin b|

ECE of the top label overlooks the other C - 1 probabilities; this error does not (Kull et al., 2019,
arXiv:1910.12656; static calibration error of Nixon et al., 2019, arXiv:1904.01685). Where C is large, most
p_k are near 0 and the error is small for every model: compare it at equal C only.

Dimensions used in this file
    N  images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.calibration.bins import BinRule, bin_confidences
from alworkbench.evaluation.calibration.calibration_error import ECE_BINS, FLOOR_DRAWS, FLOOR_SEED


class _Cells:
    """The (class, bin) cell of each probability, and the sum of the probabilities in each cell."""

    def __init__(self, probabilities: Float[Tensor, "N C"], bins: int, rule: BinRule) -> None:
        columns = [bin_confidences(column, bins, rule).member for column in probabilities.T]
        classes = len(columns)
        self.images = len(probabilities)
        self.classes = classes
        self.cell = torch.stack(columns, dim=1) + bins * torch.arange(classes)  # N C
        self.expected = torch.zeros(classes * bins, dtype=torch.float64)
        self.expected.index_add_(0, self.cell.flatten(), probabilities.flatten())

    def error(self, labels: Int[Tensor, "N"]) -> float:
        """The error of these labels."""
        of_labels = self.cell.gather(1, labels[:, None])[:, 0]
        found = torch.bincount(of_labels, minlength=len(self.expected)).double()
        return float((found - self.expected).abs().sum()) / (self.images * self.classes)


def class_wise_error(
    probabilities: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    bins: int = ECE_BINS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> float:
    """The class-wise calibration error of these predictions."""
    return _Cells(probabilities.double().cpu(), bins, rule).error(labels.cpu())


def class_wise_floor(
    probabilities: Float[Tensor, "N C"],
    bins: int = ECE_BINS,
    draws: int = FLOOR_DRAWS,
    rule: BinRule = BinRule.EQUAL_WIDTH,
) -> float:
    """Mean class-wise error of a perfectly calibrated model: labels drawn from these probabilities.

    `draws` times with a fixed seed.
    """
    probabilities = probabilities.double().cpu()
    cells = _Cells(probabilities, bins, rule)
    cumulative = probabilities.cumsum(dim=-1)
    generator = torch.Generator().manual_seed(FLOOR_SEED)
    total = 0.0
    for _ in range(draws):
        level = torch.rand(cells.images, 1, generator=generator, dtype=torch.float64)
        # A level above the last sum, which rounding can leave below 1, is the last class.
        drawn = torch.searchsorted(cumulative, level * cumulative[:, -1:], right=True)[:, 0]
        total += cells.error(drawn.clamp_max(cells.classes - 1))
    return total / draws
