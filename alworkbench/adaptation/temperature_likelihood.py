"""The likelihood of labels as a function of the log inverse temperature u, with beta = 1 / T = exp(u).

    loss(u)      = sum_i s_i (log sum_k exp(beta z_ik) - beta sum_k q_ik z_ik)
    surplus_i(u) = E_p[z_i] - sum_k q_ik z_ik         p_i = softmax(beta z_i)
    spread_i(u)  = Var_p[z_i]

with labels q_i (distributions over the classes) and shares s_i that sum to 1. The loss is the mean
negative log-likelihood and convex in beta. Its first derivative in u is beta sum_i s_i surplus_i, its
second derivative is that plus beta^2 sum_i s_i spread_i. If T is the true temperature and the labels are
single classes, surplus_i has the mean 0 and the variance spread_i.

Dimensions used in this file
    N  labelled images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.bracketed_newton import Derivatives

_ROUNDING = 1e-4
"""By which a distribution in float32 over many classes may miss the sum 1."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over the labels at one temperature."""

    loss: float
    """Mean negative log-likelihood, in nats."""
    surplus: float
    """sum_i s_i surplus_i: how far the expected logit lies above the logit of the label."""
    spread: float
    """sum_i s_i spread_i."""
    stated_variance: float
    """sum_i s_i^2 spread_i: the variance of `surplus` if this is the true temperature."""
    shown_variance: float
    """sum_i s_i^2 surplus_i^2: the variance of `surplus` that the labels show."""

    def penalised(self, u: float, precision: float) -> Derivatives:
        """Loss plus precision u^2 / 2, with its derivatives in u."""
        beta = math.exp(u)
        slope = beta * self.surplus
        return Derivatives(
            self.loss + precision * u**2 / 2,
            slope + precision * u,
            beta**2 * self.spread + slope + precision,
        )


@dataclass(frozen=True, slots=True)
class TemperatureLikelihood:
    """Labels with their logits, ready to be evaluated at any temperature; all tensors are float64."""

    logits: Float[Tensor, "N C"]
    """Minus the largest of the row, so that no exponential overflows."""
    labelled: Float[Tensor, "N"]
    """Logit of the label: sum_k q_ik z_ik."""
    shares: Float[Tensor, "N"]
    """Weights with the sum 1."""
    images: int
    """Labelled images with a weight above 0."""
    effective_images: float
    """Kish's effective sample size (sum w)^2 / sum w^2: N for equal weights, else less."""

    @classmethod
    def of(
        cls,
        logits: Float[Tensor, "N C"],
        labels: Int[Tensor, "N"] | Float[Tensor, "N C"],
        weights: Float[Tensor, "N"] | None,
    ) -> TemperatureLikelihood:
        """From class numbers or distributions over the classes.

        Raises ValueError for no labels, for logits that are not finite, for class numbers outside of the
        classes, for rows of labels that are no distributions, and for weights that are negative, not
        finite or all 0.
        """
        count, classes = logits.shape
        if count == 0:
            raise ValueError("fitting a temperature needs labelled images, found none")
        logits = logits.double()
        if not bool(logits.isfinite().all()):
            raise ValueError("fitting a temperature needs finite logits, found infinity or nan")
        logits = logits - logits.max(dim=-1, keepdim=True).values
        if labels.is_floating_point():
            labels = labels.double()
            if bool((labels < 0).any()) or bool(((labels.sum(dim=-1) - 1).abs() > _ROUNDING).any()):
                raise ValueError("each row of the labels must be a distribution over the classes")
            labelled = (labels * logits).sum(dim=-1)
        else:
            if int(labels.min()) < 0 or int(labels.max()) >= classes:
                raise ValueError(f"labels must be class numbers from 0 to {classes - 1}")
            labelled = logits.gather(1, labels[:, None].long())[:, 0]
        if weights is None:
            weights = torch.ones_like(labelled)
        weights = weights.double()
        total = weights.sum()
        if bool((weights < 0).any()) or not bool(total.isfinite()) or float(total) <= 0:
            raise ValueError("weights must be finite, not negative and not all 0")
        effective = float(total.square() / weights.square().sum())
        return cls(logits, labelled, weights / total, int((weights > 0).sum()), effective)

    def moments(self, u: float) -> Moments:
        """The sums at T = exp(-u)."""
        beta = math.exp(u)
        scaled = beta * self.logits
        normaliser = scaled.logsumexp(dim=-1)  # N
        p = (scaled - normaliser[:, None]).exp()
        mean = (p * self.logits).sum(dim=-1)
        spread = (p * (self.logits - mean[:, None]).square()).sum(dim=-1)
        surplus, squares = mean - self.labelled, self.shares.square()
        return Moments(
            float((self.shares * (normaliser - beta * self.labelled)).sum()),
            float((self.shares * surplus).sum()),
            float((self.shares * spread).sum()),
            float((squares * spread).sum()),
            float((squares * surplus.square()).sum()),
        )
