"""A learner: the model after some labels. It gives logits for any image, and draws given the labels.

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

from alworkbench.adaptation.conditioning import condition
from alworkbench.adaptation.pool_gaussians import PoolTerm
from alworkbench.adaptation.prior import Prior
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate


@runtime_checkable
class Predictor(Protocol):
    """Gives logits for images in place of the base learner; some methods fit one, see `methods`."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images, in the dtype and on the device of the features."""
        ...


@dataclass(frozen=True, slots=True)
class LaplaceState:
    """The Laplace approximation at the optimum: what draws and variances given the labels need. float64."""

    images: ImageCoordinates
    """Of the n labelled images, under the chosen prior."""
    probabilities: Float[Tensor, "n C"]
    """Softmax at the optimum, with the class prior where there is one: it fixes the curvature."""
    weights: Float[Tensor, "n"]
    """How often each label counts."""
    residual_head: ResidualHead | None = None
    prior: Prior | None = None
    """The prior that was chosen from the labels; the learner's model has it. None: none was chosen."""
    log_class_prior: Float[Tensor, "C"] | None = None
    """What training added to the logits (`logit_adjustment`); None: nothing."""
    iterations: int = 0
    """Newton steps of the fit; 0 where the state was restored."""


@dataclass(frozen=True, slots=True)
class Learner:
    """The linearised model after some labels, or without any the zero-shot model.

    With a `predictor` the logits are those of the predictor (a linear probe, say). Draws are always
    those of the linearised model, fitted to the same labels: the base learner. With a `pool_term` the
    logits of the base learner are scaled and those of the pool added (`pool_taught`).
    """

    model: Linearisation
    """float32 as a rule: pools stream through it."""
    class_activations: Float[Tensor, "C Q"]
    update: WeightUpdate | None
    """The change of the projections themselves (not whitened), dW and dV. None: no labels yet."""
    state: LaplaceState | None
    predictor: Predictor | None = None
    pool_term: PoolTerm | None = None

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images: of the predictor, or of the base learner with the pool term."""
        if self.predictor is not None:
            return self.predictor.logits(features)
        logits = self._base_logits(features)
        return logits if self.pool_term is None else self.pool_term.joined(logits, features)

    def _base_logits(self, features: Features) -> Float[Tensor, "N C"]:
        """z_0 plus the Jacobian times the update."""
        model, classes = self.model, self.model.classes
        embeddings = model.head.embed_images(features)
        norms = embeddings.norm(dim=-1)
        unit = embeddings / norms[:, None]
        cosines = unit @ classes.unit.T
        logits = model.head.logit_scale * cosines + model.head.logit_bias
        if self.update is None:
            return logits
        image_change = features.activations @ self.update.image.T  # N D: dW phi
        along_image = (image_change * unit).sum(dim=-1, keepdim=True)  # N 1
        image_scale = (model.head.logit_scale / norms)[:, None]
        text_change = self.class_activations @ self.update.text.T  # C D: dV psi
        along_text = (text_change * classes.unit).sum(dim=-1)  # C
        logits = (
            logits
            + image_scale * (image_change @ classes.unit.T - cosines * along_image)
            + classes.scale * (unit @ text_change.T - cosines * along_text)
        )
        if self.update.residual is not None:
            logits = logits + features.activations @ self.update.residual.T
        if self.update.residual_embedded is not None:
            logits = logits + unit @ self.update.residual_embedded.T
        return logits if self.update.offset is None else logits + self.update.offset

    def to(self, dtype: torch.dtype) -> Learner:
        """The same model and update in another precision; the state stays in float64."""
        return replace(
            self,
            model=self.model.to(dtype),
            class_activations=self.class_activations.to(dtype),
            update=None if self.update is None else self.update.map(lambda part: part.to(dtype)),
        )

    @property
    def image_activation_root(self) -> Float[Tensor, "P P"]:
        """L_A of the posterior that labels are learned under; images are compared in its whitening.

        Before the first label this is not the posterior of the draws where learning starts from another
        pseudo-data weight.
        """
        model = self.model
        if self.state is None:
            model = model.with_weight(None, self.class_activations)
        return model.image_activation_root

    @property
    def label_scale(self) -> float:
        """What the logits of the base learner, and so the deviations of draws, are multiplied by."""
        return 1.0 if self.pool_term is None else self.pool_term.label_scale

    @property
    def base(self) -> Learner:
        """The learner of the labels alone, without the pool term."""
        return replace(self, pool_term=None)

    def draws(self, count: int, seed: int) -> WeightUpdate:
        """K joint draws of the deviation from `logits` given the labels, in whitened coordinates.

        The same seed gives the same underlying normal numbers in every round (common random numbers).
        """
        draws, scale = self._base_draws(count, seed), self.label_scale
        return draws if scale == 1 else draws.map(lambda part: scale * part)

    def _base_draws(self, count: int, seed: int) -> WeightUpdate:
        generator = torch.Generator().manual_seed(seed)
        draws = self.model.sample(count, generator)
        state = self.state
        if state is None:
            return draws
        if state.residual_head is not None:  # drawn last: the other draws are the same without it
            classes = len(self.model.classes.unit)
            draws = state.residual_head.sample(draws, classes, generator)
        return condition(
            self.model,
            state.images,
            state.probabilities,
            draws,
            torch.Generator().manual_seed(seed + 1),
            state.weights,
            state.residual_head,
        )


def zero_shot(head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]) -> Learner:
    """The learner without labels, in float32; `posterior` is already tempered by the strengths."""
    model = Linearisation.build(head, posterior, classes.float())
    return Learner(model, classes.float(), None, None)
