"""Stacking: how much each of several predictors counts, from predictions for labels that were left out.

    maximise over theta >= 0   sum_i w_i sum_c y_ic log softmax(sum_k theta_k z_ik)_c
                               - sum_k (theta_k - mean_k)^2 / (2 deviation_k^2)

z_ik are the logits of predictor k for image i, which that predictor was not taught. The problem is
concave, so projected Newton steps find its one maximum. The sum of the theta is a temperature as well: a
predictor that is too sure of itself gets a small theta, and one that says nothing about the labels gets
zero. Few labels leave theta near its prior mean.

Wolpert 1992 (stacked generalisation); Breiman 1996 (coefficients that are not negative).

Dimensions used in this file
    n  images
    K  predictors
    C  classes
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 100
_TOLERANCE = 1e-8
"""A step that changes no coefficient by more ends the search."""
_SHORTEST = 1e-6
"""Shortest share of a Newton step that the line search tries."""


def stack(
    logits: Float[Tensor, "n K C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    mean: Sequence[float],
    deviation: Sequence[float],
) -> Float[Tensor, "K"]:
    """The coefficients theta, float64; `mean` and `deviation` are those of the prior.

    Without images (n = 0) the result is the prior mean.
    """
    z = logits.double()
    y, w = targets.to(z), weights.to(z)
    centre = torch.tensor(mean, dtype=z.dtype, device=z.device)
    precision = torch.tensor(deviation, dtype=z.dtype, device=z.device).square().reciprocal()

    def objective(theta: Float[Tensor, "K"]) -> float:
        found = (w[:, None] * y * mixed(z, theta).log_softmax(dim=-1)).sum()
        return float(found - (precision * (theta - centre).square()).sum() / 2)

    theta, value = centre.clone(), objective(centre)
    for _ in range(_STEPS):
        p = mixed(z, theta).softmax(dim=-1)  # n C
        slope = torch.einsum("nkc,nc->k", z, w[:, None] * (y - p)) - precision * (theta - centre)
        expected = torch.einsum("nkc,nc->nk", z, p)
        curvature = torch.einsum("nkc,njc,nc->kj", z, z, w[:, None] * p)
        curvature = curvature - (w[:, None] * expected).T @ expected + precision.diag()
        free = ~((theta <= 0) & (slope <= 0))
        if not bool(free.any()):
            return theta
        step = torch.zeros_like(theta)
        step[free] = torch.linalg.solve(curvature[free][:, free], slope[free])
        share = 1.0
        while share > _SHORTEST:
            tried = (theta + share * step).clamp_min(0)
            reached = objective(tried)
            if reached >= value:
                break
            share /= 2
        else:
            return theta
        moved = float((tried - theta).abs().max())
        theta, value = tried, reached
        if moved <= _TOLERANCE:
            return theta
    return theta


def mixed(logits: Float[Tensor, "n K C"], coefficients: Float[Tensor, "K"]) -> Float[Tensor, "n C"]:
    """The logits of the stacked prediction."""
    return torch.einsum("nkc,k->nc", logits, coefficients.to(logits))
