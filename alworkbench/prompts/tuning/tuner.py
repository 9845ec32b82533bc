"""Tune the context for one image: one step from the same start, in closed form.

    t_c(x)    unit text feature of class c with context x      v_b    unit image feature of view b
    Z_bc      s <v_b, t_c(x0)>                                  s      logit scale
    B         the views whose softmax(Z_b) has the lowest entropy
    L(x)      entropy of mean_{b in B} softmax(Z_b)  +  weight * penalty(t(x))
    g         gradient of L at x0
    x1        x0 (1 - r d) - r g / (|g| + epsilon), each coordinate
    answer    softmax of s <v_0, t(x1)>: the image itself (view 0) with the tuned context

The update is the first step of AdamW (learning rate r, weight decay d) from a state of zeros: then mean and
root of the second moment are g and |g|. Every coordinate moves by about r, however large the gradient is, so
a weight of the penalty matters only where it changes the sign of g.

Every image starts from x0, so the features t(x0) and their graph are computed once. An image then costs the
gradient of L with respect to t, one vector-Jacobian product and one forward pass. Images are tuned one by
one: batches of 4 to 32 gained nothing on a CPU (experiment T1), and one by one the answer for an image has
the same bits whatever other images there are.

Dimensions used in this file
    V  views
    B  selected views
    C  classes
    K  context vectors
    W  width of the text transformer
    Q  size of a text activation: W, or W + 1 where the projection has a bias
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.encoders.causal_text import CausalTextTower
from alworkbench.prompts.tuning.class_prompts import ClassPrompts
from alworkbench.prompts.tuning.objectives import C_TPT, Objective
from alworkbench.prompts.tuning.packed_text import (
    check_against_model,
    pooled_activations,
    text_features,
)
from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
from alworkbench.prompts.tuning.view_selection import marginal_entropy, most_confident


@dataclass(frozen=True, slots=True)
class TunedPrompts:
    """The classes as a context describes them."""

    context: Float[Tensor, "K W"]
    activations: Float[Tensor, "C Q"]
    """Before the projection: `Head.embed_texts` and the posterior of the text side take them."""
    features: Float[Tensor, "C D"]
    """Unit text features."""


@dataclass(frozen=True, slots=True)
class TunedAnswer:
    """What the model says about one image with the context that was tuned for it."""

    prompts: TunedPrompts
    probabilities: Float[Tensor, "C"]
    selected: Int[Tensor, "B"]
    """The views that the context was tuned on; 0 is the image itself."""

    @property
    def confidence(self) -> float:
        """The largest probability."""
        return float(self.probabilities.max())

    @property
    def predicted(self) -> int:
        """The index of the most probable class."""
        return int(self.probabilities.argmax())


class PromptTuner:
    """Tunes the context of one class list, for one image after the other.

    Holds the graph of the text features of the untuned context: for each token and layer about ten times
    the width in numbers.
    Threads must not share a tuner.
    """

    def __init__(
        self,
        tower: CausalTextTower,
        prompts: ClassPrompts,
        logit_scale: float,
        objective: Objective = C_TPT,
        settings: TuningSettings = DEFAULT_TUNING,
    ) -> None:
        """Computes the untuned text features and compares them with the model's own.

        Raises PromptsNotTunable if they differ.
        """
        self.tower = tower
        self.class_prompts = prompts
        self.logit_scale = logit_scale
        self.objective = objective
        self.settings = settings
        self.weight = objective.weight_or(settings.weight)
        with torch.enable_grad():
            self._start = prompts.context.clone().requires_grad_()
            pooled = pooled_activations(tower, prompts, self._start[None])[0]
            self._features = text_features(tower, pooled)  # with their graph
        self.untuned = TunedPrompts(
            prompts.context, tower.activations(pooled.detach()), self._features.detach()
        )
        check_against_model(tower, prompts, pooled.detach())

    def tune(self, views: Float[Tensor, "V D"]) -> TunedAnswer:
        """The answer for an image, from the unit image features of its views; the first is the image."""
        selected = most_confident(
            self.logits(views, self.untuned.features), self.settings.confident_share
        )
        with torch.enable_grad():
            features = self.untuned.features.clone().requires_grad_()
            loss = marginal_entropy(self.logits(views[selected], features))
            if self.objective.penalty is not None:
                loss = loss + self.weight * self.objective.penalty(features)
        tuned = self._stepped(loss, features)
        probabilities = self.logits(views[:1], tuned.features)[0].softmax(dim=-1)
        return TunedAnswer(tuned, probabilities, selected)

    def tune_without_images(self) -> TunedPrompts:
        """One step on the penalty alone: the same context for every image, once for a class list.

        With C-TPT the step increases the dispersion of the text features. The weight is not used: it could
        change nothing but the share of `epsilon` in the step.
        Raises ValueError for an objective without a penalty.
        """
        if self.objective.penalty is None:
            raise ValueError(f"the objective {self.objective.name!r} has no penalty")
        with torch.enable_grad():
            features = self.untuned.features.clone().requires_grad_()
            loss = self.objective.penalty(features)
        return self._stepped(loss, features)

    def logits(
        self, views: Float[Tensor, "V D"], features: Float[Tensor, "C D"]
    ) -> Float[Tensor, "V C"]:
        """Scaled cosines. The bias of a model's logits is left out: it cancels in every softmax here."""
        return self.logit_scale * views @ features.mT

    def _stepped(self, loss: Tensor, features: Float[Tensor, "C D"]) -> TunedPrompts:
        (by_features,) = torch.autograd.grad(loss, features)
        (gradient,) = torch.autograd.grad(
            self._features, self._start, by_features, retain_graph=True
        )
        with torch.no_grad():
            context = first_adamw_step(self._start, gradient, self.settings)
            pooled = pooled_activations(self.tower, self.class_prompts, context[None])[0]
            return TunedPrompts(
                context, self.tower.activations(pooled), text_features(self.tower, pooled)
            )


def first_adamw_step(
    start: Float[Tensor, "K W"], gradient: Float[Tensor, "K W"], settings: TuningSettings
) -> Float[Tensor, "K W"]:
    """The first step of AdamW (Loshchilov & Hutter, ICLR 2019) from a state of zeros, in closed form."""
    kept = start * (1 - settings.learning_rate * settings.weight_decay)
    return kept - settings.learning_rate * gradient / (gradient.abs() + settings.epsilon)
