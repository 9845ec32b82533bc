"""Newton's step towards the optimum, by conjugate gradients in the norm of the posterior.

In whitened coordinates the gradient of the objective is -J^T g with g = weight (y - p) - a. J is the
derivative of the logits and K = J J^T. Newton's step delta solves

    (I + J^T Lambda J) delta = J^T g       Lambda_i = weight_i (diag(p_i) - p_i p_i^T)

Every vector of the conjugate gradients is J^T of dual weights, and <J^T x, J^T y> = x . K y. So an
iteration needs one product with K, and the change of the logits comes with it. The step lowers the
objective wherever the iteration stops (Steihaug, 1983). Residuals are measured in the norm of the
posterior. A residual of the dual weights themselves would be multiplied by K, whose entries are in the
hundreds, and every solve would have to be accurate from the start.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.covariance import LinearisedKernel

MAX_ITERATIONS = 2000
_COARSEST, _FINEST = 0.5, 1e-5
"""Largest and smallest share of the gradient that a step may leave; less is below float32's rounding."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The gradient and its norm in whitened coordinates."""

    moved: Float[Tensor, "n C"]
    """K g."""
    norm: float
    """|J^T g|."""

    @classmethod
    def of(cls, kernel: LinearisedKernel, residual: Float[Tensor, "n C"]) -> Slope:
        """Those of g, in the precision of the kernel; g may be small, so it is scaled before rounding."""
        scale = residual.abs().max().clamp_min(torch.finfo(residual.dtype).tiny)
        unit = (residual / scale).to(kernel.left.cosines)
        moved = kernel.matvec(unit)
        norm = math.sqrt(max(0.0, float((unit * moved).sum())))
        return cls(moved.to(residual) * scale, norm * float(scale))


def forcing(slope: float, first: float) -> float:
    """The share of the gradient that a step may leave (forcing term; Eisenstat & Walker, 1996).

    It is the square root of the ratio of the gradient to that of the first step, at most a half: early
    steps, where the quadratic model is inaccurate, are cheap, and the steps converge with order 3/2.
    """
    return min(_COARSEST, max(_FINEST, math.sqrt(slope / first)))


def newton_direction(
    kernel: LinearisedKernel,
    probabilities: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    residual: Float[Tensor, "n C"],
    slope: Slope,
    share: float,
) -> Float[Tensor, "n C"]:
    """Dual weights of a step that leaves at most `share` of the gradient of the quadratic model.

    `residual` is g, and `slope` is that of g. Products are in the precision of the kernel, the result in
    that of g. If rounding stops the iteration earlier, the step found so far is returned.
    """
    scale = residual.abs().max().clamp_min(torch.finfo(residual.dtype).tiny)
    left = (residual / scale).to(kernel.left.cosines)  # n C: g - (I + Lambda K) d
    moved = (slope.moved / scale).to(left)  # n C: K left
    p = probabilities.to(left)
    weighted = weights.to(left)[:, None] * p
    found = torch.zeros_like(left)
    search, searched = left.clone(), moved  # n C: a direction, and K times the direction
    square = float((left * moved).sum())
    wanted = share**2 * square
    for _ in range(MAX_ITERATIONS):
        if not square > wanted:
            break
        bent = weighted * (searched - (p * searched).sum(dim=-1, keepdim=True))  # Lambda K search
        curved = float(((search + bent) * searched).sum())
        if not curved > 0:
            break
        size = square / curved
        found += size * search
        left -= size * (search + bent)
        moved = kernel.matvec(left)
        following = float((left * moved).sum())
        search = left + (following / square) * search
        searched = moved + (following / square) * searched
        square = following
    return found.to(residual) * scale
