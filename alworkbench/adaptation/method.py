"""A method of learning from labels: a base learner and, for some methods, a predictor beside it.

The base learner is the linearised model fitted to the labels. Draws and variances are always those of
the base learner, so acquisition does not depend on the method. A method either predicts with the base
learner's logits or fits a predictor of its own (a linear probe, say) to the same labels. Every method
is deterministic. Whatever it tunes, it tunes on the given labels alone.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.learning import LearnedWeights, check_labels, learn, restore
from alworkbench.adaptation.method_cards import ZERO_SHOT
from alworkbench.adaptation.pool_taught import teach
from alworkbench.encoders.head import Features


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """What a predictor is fitted to. At least one image; all tensors are float64."""

    features: Features
    targets: Float[Tensor, "n C"]
    """Distributions over the classes; one-hot as a rule."""
    weights: Float[Tensor, "n"]
    """How often each label counts."""


FitPredictor = Callable[[Learner, LabelledSet, int], Predictor]
"""A predictor from the base learner, the labelled set and the seed of everything random."""


@dataclass(frozen=True, slots=True)
class Method:
    """A named method of learning from labels."""

    name: str
    """That of a card in `method_cards`."""
    fit_predictor: FitPredictor | None = None
    """None: the base learner's own logits are the prediction."""
    residual_head: bool = False
    """Whether the base learner has a residual linear head."""
    pool_taught: bool = False
    """Whether the unlabelled images of the pool teach as well (`pool_taught`)."""

    def fit_base(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        pool: Features | None = None,
        settings: AdaptationSettings = DEFAULT_SETTINGS,
        unlabelled: Features | None = None,
    ) -> Learner:
        """The base learner after n labels, with what the `unlabelled` images teach if the method asks.

        The other arguments and the errors are those of `learn`.
        """
        base = learn(
            start,
            labelled,
            targets,
            weights,
            residual_head=self.residual_head,
            pool=pool,
            settings=settings,
        )
        if not self.pool_taught or unlabelled is None:
            return base
        return teach(base, unlabelled, labelled, targets, weights, settings)

    def without_labels(
        self,
        start: Learner,
        unlabelled: Callable[[], Features | None],
        settings: AdaptationSettings = DEFAULT_SETTINGS,
    ) -> Learner:
        """The learner before the first label: `start`, with what the unlabelled images teach."""
        images = unlabelled() if self.pool_taught else None
        if images is None:
            return start
        none = images[torch.zeros(0, dtype=torch.long)]
        targets = torch.zeros(0, len(start.class_activations), dtype=torch.float64)
        return teach(start, images, none, targets, None, settings)

    def __call__(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        seed: int = 0,
        pool: Features | None = None,
        settings: AdaptationSettings = DEFAULT_SETTINGS,
        unlabelled: Features | None = None,
    ) -> Learner:
        """The learner after n labels; `start` is the learner without labels.

        The seed is of everything random. Only the base learner uses `pool` and `unlabelled`. Arguments
        and errors are those of `fit_base`.
        """
        check_labels(targets, weights)
        if len(labelled) == 0 or self.name == ZERO_SHOT:
            plain = Learner(start.model, start.class_activations, None, None)
            return self.without_labels(plain, lambda: unlabelled, settings)
        base = self.fit_base(start, labelled, targets, weights, pool, settings, unlabelled)
        return self._add_predictor(base, labelled, targets, weights, seed)

    def restore(
        self,
        start: Learner,
        learned: LearnedWeights,
        labelled: Features,
        targets: Float[Tensor, "n c"],
        weights: Float[Tensor, "n"],
        seed: int,
        pool: Callable[[], Features | None] = lambda: None,
        settings: AdaptationSettings = DEFAULT_SETTINGS,
        unlabelled: Callable[[], Features | None] = lambda: None,
    ) -> Learner:
        """The learner of stored weights, which were learned from these targets and label weights.

        The targets may lack the last classes, which were then added since and which no label names.
        Stored weights that lack the residual head or the pool term of this method (an older file, or a
        class was added since) are learned again, with the images that `pool` and `unlabelled` then
        return. A predictor is fitted again.
        """
        if self.name == ZERO_SHOT or not len(targets):
            return self.without_labels(start, unlabelled, settings)
        added = len(start.class_activations) - targets.shape[1]
        targets = torch.nn.functional.pad(targets, (0, added))
        check_labels(targets, weights)
        base = restore(start, learned, labelled, weights)
        if self.residual_head and (base.update is None or base.update.offset is None):
            base = self.fit_base(start, labelled, targets, weights, pool(), settings, unlabelled())
        elif self.pool_taught and base.pool_term is None and (images := unlabelled()) is not None:
            base = teach(base, images, labelled, targets, weights, settings)
        return self._add_predictor(base, labelled, targets, weights, seed)

    def _add_predictor(
        self,
        base: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None,
        seed: int,
    ) -> Learner:
        if self.fit_predictor is None:
            return base
        targets = targets.double().to(base.class_activations.device)
        counts = torch.ones_like(targets[:, 0]) if weights is None else weights.to(targets)
        features = labelled.to(targets.device, targets.dtype)
        labelled_set = LabelledSet(features, targets, counts)
        return replace(base, predictor=self.fit_predictor(base, labelled_set, seed))
