"""One fit: prior selection, class prior, optimum and Laplace state, in one call (`learn`).

Dimensions used in this file
    n  labelled images, M images of the pool
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.learner import LaplaceState, Learner
from alworkbench.adaptation.logit_adjustment import estimate_log_class_prior
from alworkbench.adaptation.map_fit import Fit, fit
from alworkbench.adaptation.pool_gaussians import PoolTerm
from alworkbench.adaptation.prior import Prior, reweighted
from alworkbench.adaptation.prior_selection import choose_prior
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate


def learn(
    start: Learner,
    labelled: Features,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None = None,
    *,
    residual_head: bool = False,
    pool: Features | None = None,
    settings: AdaptationSettings = DEFAULT_SETTINGS,
) -> Learner:
    """The learner after n labels, in the dtype of `start`, which is the learner without labels.

    `targets` are one-hot, or distributions over the classes where people disagree: two answers to one
    image teach what their mean with weight 2 teaches. `weights` say how often each label counts (None:
    once). With `residual_head` the model has one, under a prior that is chosen from the labels. With a
    `pool` of M images, the class prior is estimated from them and kept out of the prediction
    (`logit_adjustment`). Without labels, the result is `start`.

    Raises ValueError for targets or weights that are invalid, ArithmeticError for a fit that does not
    converge.
    """
    check_labels(targets, weights)
    if len(labelled) == 0:
        return Learner(start.model, start.class_activations, None, None)
    exact = start.model.with_weight(None, start.class_activations).double()
    targets = targets.to(exact.classes.unit)
    images, weights = _in_double(exact, labelled, weights)
    prior = head = log_class_prior = None
    if residual_head:
        double = labelled.to(targets.device, torch.float64)
        others = reweighted(exact, start.class_activations, double, settings)
        prior = choose_prior(exact, images, targets, weights, settings, others)
        for other in others:
            if other.pseudo_data_weight == prior.pseudo_data_weight:
                exact, images = other.model, other.images
        exact, images, head = prior.under(exact, images, weights)
    model = _under(start, prior)

    def learner_at(found: Fit) -> Learner:
        update = exact.unwhiten(found.update).map(lambda part: part.to(start.class_activations))
        return Learner(model, start.class_activations, update, None)

    if pool is None:
        found = fit(exact, images, targets, weights, head)
    else:
        # A rough optimum is enough for a mean over the pool, and it is a good start for the next fit.
        rough = fit(exact, images, targets, weights, head, tolerance=settings.rough_gradient)
        predicted = learner_at(rough).logits(pool.to(model.classes.unit.device, torch.float32))
        log_class_prior = estimate_log_class_prior(
            predicted.softmax(dim=-1), float(weights.sum()), settings.class_prior_pseudo_labels
        )
        adjusted = replace(images, logits=images.logits + log_class_prior)
        found = fit(exact, adjusted, targets, weights, head, rough.dual)
    state = LaplaceState(
        images, found.probabilities, weights, head, prior, log_class_prior, found.iterations
    )
    return replace(learner_at(found), state=state)


@dataclass(frozen=True, slots=True)
class LearnedWeights:
    """The part of a learner that only a fit can find; the rest follows from the labelled images."""

    update: WeightUpdate
    """dW and dV of the projections (not whitened), with the weights of the residual head."""
    prior: Prior | None = None
    """The prior that was chosen from the labels; None: none was, and there is no residual head."""
    log_class_prior: Float[Tensor, "C"] | None = None
    """Nats; None: training did not use one."""
    pool_term: PoolTerm | None = None
    """What the pool taught; None: nothing, or the method does not use the pool."""

    @classmethod
    def of(cls, learner: Learner) -> LearnedWeights:
        """Those of a learner; without labels, an update of zeros."""
        if learner.update is None:
            head = learner.model.head
            zeros = torch.zeros_like(head.image_projection), torch.zeros_like(head.text_projection)
            return cls(WeightUpdate(*zeros))
        state = learner.state
        if state is None:
            return cls(learner.update)
        return cls(learner.update, state.prior, state.log_class_prior, learner.pool_term)

    def for_classes(self, count: int) -> LearnedWeights:
        """Without what was learned for another number of classes: residual head, class prior, pool term."""
        kept = self
        if kept.update.offset is not None and len(kept.update.offset) != count:
            update = WeightUpdate(kept.update.image, kept.update.text)
            kept = replace(kept, update=update, prior=None)
        if kept.log_class_prior is not None and len(kept.log_class_prior) != count:
            kept = replace(kept, log_class_prior=None)
        if kept.pool_term is not None and len(kept.pool_term.gaussians.offsets) != count:
            kept = replace(kept, pool_term=None)
        return kept


def restore(
    start: Learner,
    learned: LearnedWeights,
    labelled: Features,
    weights: Float[Tensor, "n"] | None = None,
) -> Learner:
    """The learner of these weights, which were learned from these images with these label weights.

    What was learned for another number of classes is left out.
    """
    learned = learned.for_classes(len(start.class_activations))
    device = start.class_activations.device
    update, prior = learned.update.map(lambda part: part.to(device)), learned.prior
    model = _under(start, prior)
    learner = Learner(model, start.class_activations, update, None)
    logits = learner.logits(labelled.to(device, torch.float32)).double()
    log_class_prior = learned.log_class_prior
    if log_class_prior is not None:
        log_class_prior = log_class_prior.to(logits)
        logits = logits + log_class_prior
    images, weights = _in_double(model.double(), labelled, weights)
    head = None if prior is None else prior.residual_head(images, weights)
    state = LaplaceState(images, logits.softmax(dim=-1), weights, head, prior, log_class_prior)
    return replace(learner, state=state, pool_term=learned.pool_term)


def _under(start: Learner, prior: Prior | None) -> Linearisation:
    """The model that learning under this prior uses."""
    weight = None if prior is None else prior.pseudo_data_weight
    model = start.model.with_weight(weight, start.class_activations)
    return model if prior is None else model.widened(prior.widening)


def _in_double(
    exact: Linearisation, labelled: Features, weights: Float[Tensor, "n"] | None
) -> tuple[ImageCoordinates, Float[Tensor, "n"]]:
    """Coordinates of the labelled images in float64, and their weights (ones, if there are none)."""
    images = exact.images(labelled.to(exact.classes.unit.device, torch.float64))
    if weights is None:
        return images, torch.ones_like(images.scale)
    return images, weights.to(images.scale)


def check_labels(targets: Float[Tensor, "n C"], weights: Float[Tensor, "n"] | None) -> None:
    """Raises ValueError unless targets are distributions, and weights finite and not negative."""
    if len(targets) and (
        bool((targets < 0).any()) or float((targets.sum(dim=-1) - 1).abs().max()) > 1e-6
    ):
        raise ValueError("every row of targets must sum to 1 over the classes")
    if weights is not None and not bool(((weights >= 0) & torch.isfinite(weights)).all()):
        raise ValueError("weights of labels must be finite and not negative")
