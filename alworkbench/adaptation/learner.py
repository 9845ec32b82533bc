"""The model with what the labels taught it: logits for any image, and draws that know the labels.

Dimensions used in this file
    N  images
    n  labelled images
    C  classes
    K  draws
    D  embedding size, P and Q activation sizes
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.logit_adjustment import log_shares as log_shares_of
from alworkbench.adaptation.map_fit import Fit, condition, fit
from alworkbench.adaptation.prior_selection import Prior, choose_prior
from alworkbench.adaptation.residual_head import OwnWeights
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate

_ROUGHLY = 1e-3
"""Gradient at which a first fit says well enough what to expect of the pool."""


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strongly the posterior holds either projection when labels pull (rho and rho').

    They multiply the posterior's precision, for learning and for draws alike: a learner and an
    uncertainty that are different models choose badly. Where the prior is chosen from the labels, as
    `free_weights` does, they say how wide it is before the first label, and their ratio counts after.
    """

    image: float = 1e-3
    text: float = 1e-3


@runtime_checkable
class Predictor(Protocol):
    """What gives logits for images; other ways of learning give one each, see `registry`."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images, in the dtype and on the device of the features."""
        ...


@dataclass(frozen=True, slots=True)
class Taught:
    """The labelled images a learner learned from, as its draws need them. float64."""

    images: ImageCoordinates
    probabilities: Float[Tensor, "n C"]
    """Of the linearised model at its optimum, as images of the pool."""
    weights: Float[Tensor, "n"] | None = None
    """How often each counts; None: once."""
    own: OwnWeights | None = None
    """Where classes have weights of their own."""
    prior: Prior | None = None
    """What was chosen from the labels, where it was: the learner's model is widened by it."""
    log_shares: Float[Tensor, "C"] | None = None
    """What the labels' logits had beside the learner's (`shares`); None: nothing."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A linearised model after some labels; without any, the model as it came.

    Classes may have weights of their own in it, see `free_weights`. With a `predictor`, the logits are
    that one's (a probe's, say), while draws stay those of the linearised model beneath, which learned
    from the same labels.
    """

    model: Linearisation
    """float32: pools stream through it."""
    class_activations: Float[Tensor, "C Q"]
    update: WeightUpdate | None
    """The change of the projections themselves (not whitened): dW and dV. None: no labels yet."""
    taught: Taught | None
    predictor: Predictor | None = None

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images: the predictor's, or z_0 plus what the update moves."""
        if self.predictor is not None:
            return self.predictor.logits(features)
        model, classes = self.model, self.model.classes
        embeddings = model.head.embed_images(features)
        norms = embeddings.norm(dim=-1)
        unit = embeddings / norms[:, None]
        cosines = unit @ classes.unit.T
        logits = model.head.logit_scale * cosines + model.head.logit_bias
        if self.update is None:
            return logits
        moved = features.activations @ self.update.image.T  # N D: dW phi
        back = (moved * unit).sum(dim=-1, keepdim=True)  # N 1
        scale = (model.head.logit_scale / norms)[:, None]
        named = self.class_activations @ self.update.text.T  # C D: dV psi
        inward = (named * classes.unit).sum(dim=-1)  # C
        logits = (
            logits
            + scale * (moved @ classes.unit.T - cosines * back)
            + classes.scale * (unit @ named.T - cosines * inward)
        )
        if self.update.residual is not None:
            logits = logits + features.activations @ self.update.residual.T
        if self.update.residual_embedded is not None:
            logits = logits + unit @ self.update.residual_embedded.T
        return logits if self.update.offset is None else logits + self.update.offset

    def draws(self, count: int, seed: int) -> WeightUpdate:
        """K joint draws of the deviation from `logits`, given the labels, in whitened coordinates.

        The same seed gives the same underlying draws in every round (common random numbers).
        """
        generator = torch.Generator().manual_seed(seed)
        draws = self.model.sample(count, generator)
        if self.taught is None:
            return draws
        taught = self.taught
        if taught.own is not None:  # after the others, which are the same with it and without
            draws = taught.own.sample(draws, len(self.model.classes.unit), generator)
        noise = torch.Generator().manual_seed(seed + 1)
        return condition(
            self.model,
            taught.images,
            taught.probabilities,
            draws,
            noise,
            taught.weights,
            taught.own,
        )


def zero_shot(head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]) -> Learner:
    """The model as it came. `posterior` is tempered with the strengths already."""
    model = Linearisation.build(head, posterior, classes.float())
    return Learner(model, classes.float(), None, None)


def learn(
    start: Learner,
    labelled: Features,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None = None,
    *,
    own_weights: bool = False,
    pool: Features | None = None,
) -> Learner:
    """What n labelled images teach; always from the model as it came, never from a learner.

    With `own_weights`, classes have weights of their own (`free_weights`), under a prior that is chosen
    from the labels (`prior`). `targets` are one-hot, or distributions over the classes where people
    disagree; two answers to one image teach what their mean with weight 2 does, under the same
    prior. With a `pool`, images that the labelled ones are from, all classes count alike in the
    learner's logits, however common they are there (`shares`). Raises ValueError for anything else.
    """
    check_lesson(targets, weights)
    if len(labelled) == 0:
        return Learner(start.model, start.class_activations, None, None)
    exact = start.model.double()
    images, weights = _exactly(exact, labelled, weights)
    targets = targets.to(exact.classes.unit)
    counts = torch.ones_like(targets[:, 0]) if weights is None else weights
    prior = own = logs = None
    if own_weights:
        prior = choose_prior(exact, images, targets, counts)
        exact, images, own = prior.under(exact, images, weights)
    model = _widened(start.model, prior)

    def at(found: Fit) -> Learner:
        update = exact.unwhiten(found.update).map(Tensor.float)
        return Learner(model, start.class_activations, update, None)

    if pool is not None:
        # A mean over the pool: the optimum to a thousandth will do, and is most of the way to the next.
        found = fit(exact, images, targets, weights, own, tolerance=_ROUGHLY)
        expected = at(found).logits(pool.to(model.classes.unit.device, torch.float32))
        logs = log_shares_of(expected.softmax(dim=-1), float(counts.sum()))
        beside = replace(images, logits=images.logits + logs)
        found = fit(exact, beside, targets, weights, own, found.dual)
    else:
        found = fit(exact, images, targets, weights, own)
    taught = Taught(images, found.probabilities, weights, own, prior, logs)
    return replace(at(found), taught=taught)


def restore(
    start: Learner,
    update: WeightUpdate,
    labelled: Features,
    weights: Float[Tensor, "n"] | None = None,
    prior: Prior | None = None,
    log_shares: Float[Tensor, "C"] | None = None,
) -> Learner:
    """A learner from its stored update, the images that it learned from with their weights, the prior
    that was chosen (None: none was, and classes have no weights of their own), and the classes'
    shares of the pool (None: not looked at).

    What was learned for another number of classes is left out: their own weights, their shares.
    """
    if update.offset is not None and len(update.offset) != len(start.class_activations):
        update, prior = WeightUpdate(update.image, update.text), None
    if log_shares is not None and len(log_shares) != len(start.class_activations):
        log_shares = None
    model = _widened(start.model, prior)
    learner = Learner(model, start.class_activations, update, None)
    device = start.class_activations.device
    logits = learner.logits(labelled.to(device, torch.float32)).double()
    if log_shares is not None:
        log_shares = log_shares.to(logits)
        logits = logits + log_shares
    images, weights = _exactly(model.double(), labelled, weights)
    own = None if prior is None else prior.own_weights(images, weights)
    taught = Taught(images, logits.softmax(dim=-1), weights, own, prior, log_shares)
    return Learner(model, start.class_activations, update, taught)


def _widened(model: Linearisation, prior: Prior | None) -> Linearisation:
    return model if prior is None else model.widened(prior.widening)


def _exactly(
    exact: Linearisation, labelled: Features, weights: Float[Tensor, "n"] | None
) -> tuple[ImageCoordinates, Float[Tensor, "n"] | None]:
    """Labelled images as the float64 model sees them, and their weights beside."""
    images = exact.images(labelled.to(exact.classes.unit.device, torch.float64))
    return images, None if weights is None else weights.to(exact.classes.unit)


def check_lesson(targets: Float[Tensor, "n C"], weights: Float[Tensor, "n"] | None) -> None:
    """Targets are distributions over the classes, weights are finite and not negative."""
    if len(targets) and (
        bool((targets < 0).any()) or float((targets.sum(dim=-1) - 1).abs().max()) > 1e-6
    ):
        raise ValueError("every row of targets is a distribution over the classes: it sums to 1")
    if weights is not None and not bool(((weights >= 0) & torch.isfinite(weights)).all()):
        raise ValueError("weights of labels are finite and not negative")
