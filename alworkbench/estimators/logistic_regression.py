"""Bayesian multinomial logistic regression as a linearised vision-language model.

The head is one that knows nothing: every image embeds as the same unit vector r, and class c as a unit
vector t_c orthogonal to r and to the other classes. All logits are zero without labels, and then exactly

    z_ic = t_c . dW x_i + r . dV psi_c  =  w_c . x_i + b_c

on standardised features x. The standard normal priors of both projections are w_c ~ N(0, I / image
strength) and b_c ~ N(0, 1 / text strength).

Dimensions used in this file
    N  rows
    P  features
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior, Spectrum

STRENGTHS = Strengths(image=1.0, text=0.01)
"""The precision of the weights is that of scikit-learn's logistic regression; intercepts have little."""


@dataclass(frozen=True, slots=True)
class Standardisation:
    """(x - mean) / deviation, each column by itself."""

    mean: Float[Tensor, "P"]
    deviation: Float[Tensor, "P"]

    @classmethod
    def of(cls, x: Float[Tensor, "N P"], weights: Float[Tensor, "N"]) -> Standardisation:
        """Weighted mean and standard deviation; a constant column is only centred."""
        total = weights.sum()
        mean = (weights[:, None] * x).sum(dim=0) / total
        variance = (weights[:, None] * (x - mean).square()).sum(dim=0) / total
        rounding = (10 * torch.finfo(x.dtype).eps * x.abs().amax(dim=0)).square()
        deviation = variance.sqrt().where(variance > rounding, torch.ones_like(variance))
        return cls(mean, deviation)

    def features(self, x: Float[Tensor, "N P"], classes: int) -> Features:
        """Standardised rows as activations; the residual is the common embedding r."""
        embedding = torch.zeros(len(x), classes + 1, dtype=x.dtype)
        embedding[:, 0] = 1.0
        return Features((x - self.mean) / self.deviation, embedding)


def uninformed_model(columns: int, classes: int) -> tuple[Head, Posterior, Float[Tensor, "C C"]]:
    """The head, its standard normal posterior, and the class activations, for P columns; float64."""
    size = classes + 1
    head = Head(
        torch.zeros(size, columns, dtype=torch.float64),
        torch.eye(size, dtype=torch.float64)[:, 1:].clone(),
        1.0,
    )
    posterior = Posterior(
        _standard_normal(head.image_projection), _standard_normal(head.text_projection), "features"
    )
    return head, posterior, torch.eye(classes, dtype=torch.float64)


def _standard_normal(mean: Tensor) -> KroneckerPosterior:
    """Independent unit variances about the mean."""
    size_d, size_p = mean.shape

    def flat(size: int) -> Spectrum:
        zeros = torch.zeros(size, dtype=torch.float64)
        return Spectrum(zeros, torch.eye(size, dtype=torch.float64))

    return KroneckerPosterior(mean, flat(size_p), flat(size_d), pairs=1, prior_precision=1.0)
