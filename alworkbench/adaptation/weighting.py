"""Weights of labels that undo a choice which favoured some classes.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def balance_to_pool(
    targets: Float[Tensor, "n C"], shares: Float[Tensor, "C"], temper: float = 0.5
) -> Float[Tensor, "n"]:
    """One weight per label, so that the classes weigh in the labels more as they do in the pool.

        weight_i  proportional to  (share of its class in the pool / share among the labels)^temper

    `shares` are those that the model expects in the pool: the mean of its predicted probabilities.
    temper = 0 leaves labels as they are, 1 undoes the whole bias and trusts the model's shares; 1/2
    is between (Byrd & Lipton, 2019, arXiv:1812.03372, on what such weights can do). A soft label gets
    the mean of its classes' weights. The weights average to one, so labels as a whole count as many
    as they are against the posterior. Raises ValueError for shares that are not a distribution, or a
    temper outside 0 to 1.
    """
    if not 0 <= temper <= 1:
        raise ValueError(f"a temper lies between 0 and 1, found {temper}")
    if bool((shares < 0).any()) or abs(float(shares.sum()) - 1) > 1e-4:
        raise ValueError("shares of classes are not negative and sum to 1")
    if len(targets) == 0:
        return targets.new_zeros(0)
    among = targets.mean(dim=0)  # C
    ratio = shares.to(targets).clamp_min(torch.finfo(targets.dtype).eps) / among.clamp_min(
        torch.finfo(targets.dtype).eps
    )
    weights = targets @ ratio.pow(temper)  # n
    return weights / weights.mean()
