"""ATFD: how far the text embeddings of the classes lie from their mean.

    t_bar = 1/C sum_c t_c          ATFD = 1/C sum_c || t_c - t_bar ||

t_c are text embeddings of length 1. t_bar is not normalised again, and the norm is not squared. The mean
squared distance is 1 - ||t_bar||^2, so that 0 <= ATFD <= sqrt(1 - ||t_bar||^2) <= 1.

Yoon et al., 2024, arXiv:2403.14119: among prompts of nearly the same accuracy, those with a larger ATFD were
better calibrated. Values are comparable only for one model and one list of classes.

Dimensions used in this file
    C  classes
    D  embedding size
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def text_feature_dispersion(unit: Float[Tensor, "*T C D"]) -> Float[Tensor, "*T"]:
    """Average text feature dispersion (ATFD) of unit text embeddings, in their dtype; differentiable."""
    return (unit - unit.mean(dim=-2, keepdim=True)).norm(dim=-1).mean(dim=-1)
