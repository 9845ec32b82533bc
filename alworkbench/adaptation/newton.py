"""Newton's step towards the optimum, by conjugate gradients in the norm of the posterior.

In whitened coordinates the objective's gradient is -J^T g with g = weight (y - p) - a, J the logits'
derivative and K = J J^T, and Newton's step delta solves

    (I + J^T Lambda J) delta = J^T g       Lambda_i = weight_i (diag(p_i) - p_i p_i^T)

Every vector that conjugate gradients meet is J^T of dual weights, with <J^T x, J^T y> = x . K y: one
product with K an iteration, and what the step moves the logits by comes for free. Cut off anywhere,
the step lowers the objective (Steihaug, 1983), and errors are measured where they count: those of
dual weights are multiplied by K, whose entries are in the hundreds, so that solves for them must be
fine from the start.

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
"""Shares of the gradient that a step may leave; below the last, float32's rounding rules."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The gradient, in the norm of the steps: what is left to do."""

    moved: Float[Tensor, "n C"]
    """K g."""
    norm: float
    """|J^T g|."""

    @classmethod
    def of(cls, kernel: LinearisedKernel, residual: Float[Tensor, "n C"]) -> Slope:
        """Of g, the kernel's precision. g may be small: it is scaled before it is rounded."""
        scale = residual.abs().max().clamp_min(torch.finfo(residual.dtype).tiny)
        unit = (residual / scale).to(kernel.left.cosines)
        moved = kernel.matvec(unit)
        norm = math.sqrt(max(0.0, float((unit * moved).sum())))
        return cls(moved.to(residual) * scale, norm * float(scale))


def forcing(slope: float, first: float) -> float:
    """The share of its gradient that a step may leave: half at first, ever less near the optimum.

    The square root of how far the gradient has fallen since the first step, so that steps converge
    with order 3/2: little is wasted where the quadratic model is not yet true (Eisenstat & Walker, 1996).
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
    """Dual weights d of a step that leaves at most `share` of the gradient of the quadratic model.

    `residual` is g and `slope` is of it; products are in the kernel's precision, the result in g's.
    Where rounding ends the iteration before, the step is what was found until then.
    """
    scale = residual.abs().max().clamp_min(torch.finfo(residual.dtype).tiny)
    left = (residual / scale).to(kernel.left.cosines)  # n C: g - (I + Lambda K) d
    moved = (slope.moved / scale).to(left)  # n C: K left
    p = probabilities.to(left)
    weighted = weights.to(left)[:, None] * p
    found = torch.zeros_like(left)
    search, searched = left.clone(), moved  # n C: a direction, and K times it
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
