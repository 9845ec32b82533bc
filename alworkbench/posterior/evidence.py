"""The prior precision that maximises the evidence, from the factors' eigenvalues and |W|^2 alone.

    log evidence(lambda) = -lambda / 2 |W|^2 + D P / 2 log lambda - 1 / 2 (D logdet A~ + P logdet B~)
    A~ = A + sqrt(lambda) I (P x P)      B~ = B + sqrt(lambda) I (D x D)

up to a constant, with A and B multiplied by sqrt(tau / n) beforehand. D multiplies logdet A~ although
A~ is P x P, because det(A~ (x) B~) = det(A~)^D det(B~)^P.

Dimensions used in this file
    P  activation size
    D  embedding size
    G  prior precisions
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from torch import Tensor

from alworkbench.core.errors import NotPositiveDefinite


def log_evidence(
    prior_precisions: Float[Tensor, "G"],
    activation: Float[Tensor, "P"],
    embedding: Float[Tensor, "D"],
    square: float,
) -> Float[Tensor, "G"]:
    """Log evidence of each prior precision, in nats up to a constant.

    `activation` and `embedding` are eigenvalues in float64, `square` is |W|^2.
    """
    size_p, size_d = len(activation), len(embedding)
    roots = prior_precisions.sqrt()[:, None]
    of_a = (activation + roots).log().sum(dim=-1)  # G
    of_b = (embedding + roots).log().sum(dim=-1)  # G
    freedom = size_d * size_p * prior_precisions.log()
    return 0.5 * (freedom - prior_precisions * square - size_d * of_a - size_p * of_b)


def maximise_evidence(
    activation: Float[Tensor, "P"], embedding: Float[Tensor, "D"], square: float
) -> float:
    """Maximise `log_evidence` over log lambda, to a relative error of 1e-7.

    A grid over 24 decades brackets the maximum and Brent's method refines it. Raises
    NotPositiveDefinite if the evidence has no inner maximum.
    """
    activation, embedding = activation.double().cpu(), embedding.double().cpu()
    exponents = torch.linspace(-27.6, 27.6, 241, dtype=torch.float64)
    best = int(log_evidence(exponents.exp(), activation, embedding, square).argmax())
    if best in (0, len(exponents) - 1):
        raise NotPositiveDefinite(
            "The evidence has no maximum in the prior precision: the factors carry no curvature, or "
            "the projection is zero. Fit the posterior from more pairs."
        )

    def loss(log_precision: float) -> float:
        candidate = torch.tensor([math.exp(log_precision)], dtype=torch.float64)
        return -float(log_evidence(candidate, activation, embedding, square)[0])

    found = minimize_scalar(
        loss,
        bounds=(float(exponents[best - 1]), float(exponents[best + 1])),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return math.exp(float(found.x))
