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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor, check_lesson, learn
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.encoders.head import Features

FREE_WEIGHTS, LINEARISED, ZERO_SHOT = "free-weights", "linearised", "zero-shot"
"""Names under which methods are chosen and stored."""


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
    """One way of learning from labels."""

    name: str
    summary: str
    """One line for lists."""
    fit_predictor: FitPredictor | None = None
    """None: the base learner's own logits are the prediction."""
    residual_head: bool = False
    """Whether the base learner has a residual linear head."""

    @property
    def is_default(self) -> bool:
        """Whether a project uses this method if none is named."""
        return self.name == DEFAULT_ADAPTATION

    def fit_base(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        pool: Features | None = None,
    ) -> Learner:
        """The base learner after n labels. Arguments and errors are those of `learn`."""
        return learn(start, labelled, targets, weights, own_weights=self.residual_head, pool=pool)

    def add_predictor(self, base: Learner, labelled_set: LabelledSet, seed: int) -> Learner:
        """The base learner with this method's predictor, if the method has one."""
        if self.fit_predictor is None:
            return base
        return replace(base, predictor=self.fit_predictor(base, labelled_set, seed))

    def __call__(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        seed: int = 0,
        pool: Features | None = None,
    ) -> Learner:
        """The learner after n labels; `start` is the zero-shot model. Without labels, `start`.

        Only the base learner uses the `pool`, see `learn`. Raises ValueError for targets or weights
        that are invalid, ArithmeticError for a fit that does not converge.
        """
        check_lesson(targets, weights)
        if len(labelled) == 0 or self.name == ZERO_SHOT:
            return Learner(start.model, start.class_activations, None, None)
        base = self.fit_base(start, labelled, targets, weights, pool)
        exact = targets.double().to(start.class_activations.device)
        counts = exact.new_ones(len(exact)) if weights is None else weights.to(exact)
        features = labelled.to(exact.device, exact.dtype)
        return self.add_predictor(base, LabelledSet(features, exact, counts), seed)

    def restore(
        self,
        start: Learner,
        base: Learner,
        labelled: Features,
        labels: Sequence[int],
        seed: int,
        pool: Callable[[], Features | None] = lambda: None,
    ) -> Learner:
        """The learner whose base learner is known already; `labels` are n class indices.

        A base learner that lacks the residual head of this method (an older file, or a class was added
        since) is fitted again, with the images that `pool` then returns.
        """
        if self.name == ZERO_SHOT or not labels:
            return start
        classes = base.class_activations
        targets = torch.nn.functional.one_hot(
            torch.tensor(labels, dtype=torch.long, device=classes.device), len(classes)
        ).double()
        if self.residual_head and (base.update is None or base.update.offset is None):
            base = self.fit_base(start, labelled, targets, pool=pool())
        features = labelled.to(classes.device, torch.float64)
        return self.add_predictor(
            base, LabelledSet(features, targets, torch.ones_like(targets[:, 0])), seed
        )
