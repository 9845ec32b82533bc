"""The prior of the default learner, chosen by the likelihood of each label given the others.

Two numbers define the prior: the variance v of the logits of the labelled images (squared nats), and
the share s of v that the residual linear head has; the projections have the rest. v is a variance of
logits, because the precision of a posterior depends on the pairs that it was fitted from, and no
strength suits two models. If v is too large, labels of some classes pull images of other classes to
them, and accuracy falls below zero-shot. If v is too small, nothing is learned that the model does not
know.

Every pair of a small grid is fitted to the labels and weighted by its leave-one-out likelihood,

    weight of (v, s)  ~  prod_i p(y_i | y_-i, v, s)        log v and s: their weighted means

pseudo-Bayesian model averaging (Geisser & Eddy 1979; Yao et al. 2018, arXiv:1704.02030). It averages
the priors and not the predictions, so that learner and draws stay one model. Few labels give all pairs
similar weights, and so the middle of the grid.

The leave-one-out prediction is that of Gaussian processes under Laplace's approximation (Rasmussen &
Williams 2006, sections 3.4 and 5.4.2). Each class is treated by itself, against the mean of the others:
C systems of n unknowns instead of one of n C.

How much of the posterior's curvature is believed is chosen first (its pseudo-data weight): another weight
than the posterior's own is used only where its mean likelihood over the grid is larger by 5 nats. A
posterior that was fitted without captions holds tight the directions in which the pool varies, which
are those that labels must move.

The input of the residual head is chosen last (`head_input_selection`).

The figures behind the grid and the two bounds: docs/experiments/adaptation.md, L1 to L10.

Dimensions used in this file
    n  labelled images, m of them looked at
    C  classes
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.head_input_selection import choose_head_input
from alworkbench.adaptation.map_fit import Fit, fit
from alworkbench.adaptation.prior import Prior, Reweighted
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation

_ROUNDING = 1e-9
"""A logit variance below this share of the terms that it is the difference of is rounding."""
_LEAST_CURVATURE = 1e-8
"""Lower bound of p (1 - p), which is divided by; a label of no curvature changes nothing if left out."""


def choose_prior(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings = DEFAULT_SETTINGS,
    others: Sequence[Reweighted] = (),
) -> Prior:
    """The prior for n labels, in float64. The result does not depend on the posterior's strength.

    `others` are the model and the images under other pseudo-data weights.
    """
    few = _evenly_spaced(images, targets, weights, settings.prior_pairs, settings)
    prior, log_likelihood = _choose_variances(model, *few, settings)
    needed = log_likelihood + settings.curvature_log_bayes_factor
    for other in others:
        few = _evenly_spaced(other.images, targets, weights, settings.prior_pairs, settings)
        found, log_likelihood = _choose_variances(other.model, *few, settings)
        if log_likelihood > needed:
            prior = replace(found, pseudo_data_weight=other.pseudo_data_weight)
            model, images, needed = other.model, other.images, log_likelihood
    many = _evenly_spaced(images, targets, weights, settings.head_input_pairs, settings)
    return choose_head_input(prior, model, *many, settings)


def _evenly_spaced(
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    pairs: int,
    settings: AdaptationSettings,
) -> tuple[ImageCoordinates, Float[Tensor, "m C"], Float[Tensor, "m"]]:
    """As many evenly spaced labels as make this number of (image, class) pairs, within the bounds."""
    count, classes = targets.shape
    wanted = min(settings.most_prior_labels, pairs // classes)
    wanted = min(count, max(settings.fewest_prior_labels, wanted))
    rows = torch.linspace(0, count - 1, wanted, device=targets.device).round().long().unique()
    return images[rows], targets[rows], weights[rows]


def _choose_variances(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "m C"],
    weights: Float[Tensor, "m"],
    settings: AdaptationSettings,
) -> tuple[Prior, float]:
    """The mean of the grid, weighted by leave-one-out likelihood, and the log of its mean likelihood.

    The head's input is activations.
    """
    kernel = LinearisedKernel(model.classes, images, images)
    within = kernel.centred()
    unit = float(within.diagonal(dim1=1, dim2=2).mean())
    unit = unit if unit > _ROUNDING * kernel.scale else 0.0
    grid = list(product(settings.prior_variances, settings.residual_shares))
    scores = torch.zeros(len(grid), dtype=torch.float64)
    if len(targets) > 1:  # a single label has no others to be predicted from
        guess = None
        for i, (variance, share) in enumerate(grid):
            prior = _prior_of(variance, share, unit)
            found, left_out = _fit_and_leave_out(
                model, images, targets, weights, prior, within, guess, settings
            )
            scores[i] = (weights[:, None] * targets * left_out.log_softmax(dim=-1)).sum()
            guess = found.dual
    shares = scores.softmax(dim=0).tolist()
    log_variance = sum(w * math.log(v) for w, (v, _) in zip(shares, grid, strict=True))
    residual_share = sum(w * s for w, (_, s) in zip(shares, grid, strict=True))
    log_mean = float(scores.logsumexp(dim=0)) - math.log(len(grid))
    return _prior_of(math.exp(log_variance), residual_share, unit), log_mean


def _prior_of(variance: float, share: float, unit: float) -> Prior:
    """The prior of this variance and share; `unit` is the variance that the posterior gives a logit.

    unit = 0: the projections cannot tell the classes apart, and nothing is widened.
    """
    return Prior(variance * (1 - share) / unit if unit > 0 else 1.0, variance * share)


def _fit_and_leave_out(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "m C"],
    weights: Float[Tensor, "m"],
    prior: Prior,
    within: Float[Tensor, "C m m"],
    guess: Float[Tensor, "m C"] | None,
    settings: AdaptationSettings,
) -> tuple[Fit, Float[Tensor, "m C"]]:
    """A rough fit under this prior, and the logits of each label predicted from the others.

    `within` is the covariance within classes under the posterior as it is. It scales with the widening;
    the residual head adds the same to every class, of which centring over the classes keeps 1 - 1 / C.
    """
    model, images, head = prior.under(model, images, weights)
    found = fit(model, images, targets, weights, head, guess, tolerance=settings.rough_gradient)
    centring = 1 - 1 / targets.shape[1]
    within = torch.add(centring * head.covariance(images, images), within, alpha=prior.widening)
    return found, left_out_logits(within, found, weights)


def left_out_logits(
    within: Float[Tensor, "C n n"], found: Fit, weights: Float[Tensor, "n"]
) -> Float[Tensor, "n C"]:
    """The logits of each image predicted from the labels of the others, from one fit to all labels.

    u_c, the logit of a class minus the mean of the others', is C / (C - 1) times the centred logit,
    whose covariance is `LinearisedKernel.centred`. With curvature W = weight p (1 - p) and
    B = I + sqrt(W) K_u sqrt(W), the variance of u_i given the other labels is (1 / (B^-1)_ii - 1) / W_i.
    """
    p = found.probabilities
    against_others = p.shape[1] / (p.shape[1] - 1)
    curvature = (weights[:, None] * p * (1 - p)).T.clamp_min(_LEAST_CURVATURE)  # C n
    root = curvature.sqrt()
    gram = (against_others**2 * within).mul_(root[:, :, None]).mul_(root[:, None, :])
    gram.diagonal(dim1=1, dim2=2).add_(1.0)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram)).diagonal(dim1=1, dim2=2)
    variance = ((1 / inverse - 1) / curvature).T  # n C, of u
    return found.logits - variance * found.dual / against_others
