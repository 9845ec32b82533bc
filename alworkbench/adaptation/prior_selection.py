"""How far labels may move the logits: a prior chosen by what it says of labels that it did not see.

Two numbers make the prior of `free_weights`: the variance v that it gives the logits of the labelled
images, in squared nats, and the share s of it that classes' own weights have; the projections have the
rest. In logits, since the scale of a posterior's precision follows how many pairs it was fitted from, and no
strength of precision suits two models. A prior too wide forgets: labels of some classes draw images
of the others to them, so that accuracy falls below that of the model as it came. One too narrow does
not learn what the model is blind for. Every pair of a small grid learns from (some of) the labels, and
is weighed by the likelihood of each label given the others,

    weight of (v, s)  ~  prod_i p(y_i | y_-i, v, s)        ln v and s: their weighted means

pseudo-Bayesian model averaging (Geisser & Eddy 1979; Yao et al. 2018, arXiv:1704.02030), of the prior
and not of predictions, so that learner and draws stay one model. With few labels all weigh much the
same and the prior is the middle of the grid; with more the best is left.

The left-out prediction is that of Gaussian processes under Laplace's approximation (Rasmussen &
Williams 2006, sections 3.4 and 5.4.2), each class against the mean of the others by itself: C systems
of n numbers instead of one of n C.

What classes' own weights see is chosen after that: whitened activations as a rule, embeddings where the
names tell LITTLE of the labels, and embeddings tell left-out labels better by MUCH. That is where
the model was taught to see what the images show, and the names given mean nothing to it. Labels are
learned anew without each fold, and all is told at its best temperature, since the question is what
resembles what, and not how sure anything is. Where names tell more, embeddings make labels of some
classes draw the images of others to them, which chosen labels do not show.

See README.md beside for what is chosen and what that is worth.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.map_fit import Fit, fit, optimum
from alworkbench.adaptation.residual_head import OwnWeights
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation

VARIANCES = (30.0, 300.0)
SHARES = (0.0, 0.5, 0.9)
"""The corners of what may be chosen. More values between change nothing; see README.md."""

FEWEST, MOST, PAIRS = 20, 200, 5000
"""Labels that a choice looks at, evenly spaced: as many as make this number of (image, class) pairs."""

FOLDS = 5
MUCH = 5.0
"""Nats of all labels that are looked at: very strong evidence (Kass & Raftery 1995, section 3.2)."""
LITTLE = 0.15
"""Share of log C, the nats of a label that nothing tells, which the model as it came takes off."""
_PAIRS = 20_000
"""As PAIRS, for what own weights see: the few labels of a class must be enough to tell."""
_TEMPERATURES = 2.0 ** torch.arange(-1.0, 4.25, 0.25, dtype=torch.float64)

_ROUNDING = 1e-9
"""A logit variance of less, relative to what its terms add up from, is their rounding."""

_ROUGHLY = 1e-3
"""Gradient to which what is weighed needs to be learned."""

_LEAST = 1e-8
"""Least curvature p (1 - p) of a label: where it is nothing, so is what leaving it out changes."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What `free_weights` learns under."""

    widening: float
    """Multiplies the posterior's covariance of either projection."""
    own: float
    """Variance of what a class adds by itself to the logit of a labelled image, squared nats."""
    embedded: bool = False
    """Whether what it adds is of embeddings, and not of whitened activations."""

    def under(
        self,
        model: Linearisation,
        images: ImageCoordinates,
        weights: Float[Tensor, "n"] | None,
    ) -> tuple[Linearisation, ImageCoordinates, OwnWeights]:
        """The model and n labelled images under this prior, and the weights of the classes' own."""
        images = images.widened(self.widening)
        return model.widened(self.widening), images, self.own_weights(images, weights)

    def own_weights(
        self, images: ImageCoordinates, weights: Float[Tensor, "n"] | None
    ) -> OwnWeights:
        """Of the classes, for n labelled images that are widened already."""
        return OwnWeights.of(images, weights, self.own, embedded=self.embedded)


def choose_prior(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> Prior:
    """The prior for n labels, float64; `model` is under the posterior at any strength."""
    wide = _width(model, *_some(images, targets, weights, PAIRS))
    return _seeing(wide, model, *_some(images, targets, weights, _PAIRS))


def _some(
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    pairs: int,
) -> tuple[ImageCoordinates, Float[Tensor, "m C"], Float[Tensor, "m"]]:
    """Evenly spaced labels, as many as make this number of (image, class) pairs."""
    count, classes = targets.shape
    most = min(count, max(FEWEST, min(MOST, pairs // classes)))
    rows = torch.linspace(0, count - 1, most, device=targets.device).round().long().unique()
    return images[rows], targets[rows], weights[rows]


def _width(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> Prior:
    """The prior whose own weights see whitened activations."""
    kernel = LinearisedKernel(model.classes, images, images)
    within = kernel.centred()
    unit = float(within.diagonal(dim1=1, dim2=2).mean())
    unit = unit if unit > _ROUNDING * kernel.scale else 0.0
    pairs = [(variance, share) for variance in VARIANCES for share in SHARES]
    scores = torch.zeros(len(pairs), dtype=torch.float64)
    if len(targets) > 1:  # of one label nothing is left that could speak of it
        guess = None
        for i, pair in enumerate(pairs):
            prior = _prior(*pair, unit)
            found, left = _left_out(model, images, targets, weights, prior, within, guess)
            scores[i] = (weights[:, None] * targets * left.log_softmax(dim=-1)).sum()
            guess = found.dual
    shares = scores.softmax(dim=0).tolist()
    variance = math.exp(sum(w * math.log(v) for w, (v, _) in zip(shares, pairs, strict=True)))
    share = sum(w * s for w, (_, s) in zip(shares, pairs, strict=True))
    return _prior(variance, share, unit)


def _seeing(
    prior: Prior,
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> Prior:
    """This prior, or the one whose own weights see embeddings."""
    nothing = _at_best(torch.zeros_like(targets), targets, weights)
    if _at_best(images.logits, targets, weights) > (1 - LITTLE) * nothing or len(targets) < 2:
        return prior
    other = replace(prior, embedded=True)
    told, better = (
        _at_best(folds_left_out(each, model, images, targets, weights), targets, weights)
        for each in (prior, other)
    )
    return other if better - told > MUCH else prior


def folds_left_out(
    prior: Prior,
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> Float[Tensor, "n C"]:
    """The logits of each image after learning from the labels of the other folds, every FOLDS-th one.

    What own weights are relative to, the images of all n labels fix.
    """
    model, images, own = prior.under(model, images, weights)
    kernel = LinearisedKernel(model.classes, images, images, own)
    left, guess = torch.zeros_like(targets), torch.zeros_like(targets)
    for k in range(min(FOLDS, len(targets))):
        fold = torch.arange(k, len(targets), FOLDS, device=targets.device)
        others = weights.index_fill(0, fold, 0.0)
        found = optimum(
            kernel, images.logits, targets, others, guess.index_fill(0, fold, 0.0), _ROUGHLY
        )
        left[fold], guess = found.logits[fold], found.dual
    return left


def _at_best(
    logits: Float[Tensor, "n C"], targets: Float[Tensor, "n C"], weights: Float[Tensor, "n"]
) -> float:
    """Log likelihood of labels at the temperature that is best for them."""
    likelihoods = [
        float((weights[:, None] * targets * (logits / temperature).log_softmax(dim=-1)).sum())
        for temperature in _TEMPERATURES.tolist()
    ]
    return max(likelihoods)


def _left_out(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    prior: Prior,
    within: Float[Tensor, "C n n"],
    guess: Float[Tensor, "n C"] | None,
) -> tuple[Fit, Float[Tensor, "n C"]]:
    """A fit under this prior, and the logits of each label after learning from the others.

    `within` is the covariance within classes under the model as it is: it grows as the projections'
    prior widens, and classes' own weights add the same to all, of which centring leaves 1 - 1 / C.
    """
    model, images, own = prior.under(model, images, weights)
    found = fit(model, images, targets, weights, own, guess, tolerance=_ROUGHLY)
    centring = 1 - 1 / targets.shape[1]
    within = torch.add(centring * own.covariance(images, images), within, alpha=prior.widening)
    return found, left_out_logits(within, found, weights)


def left_out_logits(
    within: Float[Tensor, "C n n"], found: Fit, weights: Float[Tensor, "n"]
) -> Float[Tensor, "n C"]:
    """What the labels but its own say of each, from a fit to all of them.

    u_c, the logit of a class less the mean of the others', is C / (C - 1) times the centred logit,
    whose covariance is `LinearisedKernel.centred`. With curvature W = weight p (1 - p) and
    B = I + sqrt(W) K_u sqrt(W), the covariance of u_i given the other labels is
    (1 / (B^-1)_ii - 1) / W_i.
    """
    p = found.probabilities
    against = p.shape[1] / (p.shape[1] - 1)
    curvature = (weights[:, None] * p * (1 - p)).T.clamp_min(_LEAST)  # C n
    root = curvature.sqrt()
    gram = (against**2 * within).mul_(root[:, :, None]).mul_(root[:, None, :])
    gram.diagonal(dim1=1, dim2=2).add_(1.0)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram)).diagonal(dim1=1, dim2=2)
    covariance = ((1 / inverse - 1) / curvature).T  # n C, of u
    return found.logits - covariance * found.dual / against


def _prior(variance: float, share: float, unit: float) -> Prior:
    """Where the projections cannot tell the classes apart, there is nothing to widen."""
    return Prior(variance * (1 - share) / unit if unit > 0 else 1.0, variance * share)
