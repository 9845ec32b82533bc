"""The model with what the labels taught it: logits for any image, and draws that know the labels.

Dimensions used in this file
    N  images
    n  labelled images
    C  classes
    K  draws
    D  embedding size, P and Q activation sizes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.linearised import condition, fit
from alworkbench.heads import Features, Head
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.linearised import ImageCoordinates, Linearisation, Step


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strongly the posterior holds either projection when labels pull (rho and rho').

    They multiply the posterior's precision, for learning and for draws alike: a learner and an
    uncertainty that are different models choose badly.
    """

    image: float = 1e-3
    text: float = 1e-3


@dataclass(frozen=True, slots=True)
class Taught:
    """The labelled images a learner learned from, as its draws need them. float64."""

    images: ImageCoordinates
    probabilities: Float[Tensor, "n C"]


@dataclass(frozen=True, slots=True)
class Learner:
    """A linearised model after some labels; without any, the model as it came."""

    model: Linearisation
    """float32: pools stream through it."""
    class_activations: Float[Tensor, "C Q"]
    step: Step | None
    """The change of the projections themselves (not whitened): dW and dV. None: no labels yet."""
    taught: Taught | None

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images: z_0 plus what the step moves."""
        model, classes = self.model, self.model.classes
        embeddings = model.head.embed_images(features)
        norms = embeddings.norm(dim=-1)
        unit = embeddings / norms[:, None]
        cosines = unit @ classes.unit.T
        logits = model.head.logit_scale * cosines + model.head.logit_bias
        if self.step is None:
            return logits
        moved = features.activations @ self.step.image.T  # N D: dW phi
        back = (moved * unit).sum(dim=-1, keepdim=True)  # N 1
        scale = (model.head.logit_scale / norms)[:, None]
        named = self.class_activations @ self.step.text.T  # C D: dV psi
        inward = (named * classes.unit).sum(dim=-1)  # C
        return (
            logits
            + scale * (moved @ classes.unit.T - cosines * back)
            + classes.scale * (unit @ named.T - cosines * inward)
        )

    def draws(self, count: int, seed: int) -> Step:
        """K joint draws of the deviation from `logits`, given the labels, in whitened coordinates.

        The same seed gives the same underlying draws in every round (common random numbers).
        """
        generator = torch.Generator().manual_seed(seed)
        draws = self.model.sample(count, generator)
        if self.taught is None:
            return draws
        noise = torch.Generator().manual_seed(seed + 1)
        return condition(self.model, self.taught.images, self.taught.probabilities, draws, noise)


def zero_shot(head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]) -> Learner:
    """The model as it came. `posterior` is tempered with the strengths already."""
    model = Linearisation.build(head, posterior, classes.float())
    return Learner(model, classes.float(), None, None)


def learn(start: Learner, labelled: Features, targets: Float[Tensor, "n C"]) -> Learner:
    """What n labelled images teach; always from the model as it came, never from a learner."""
    if len(labelled) == 0:
        return Learner(start.model, start.class_activations, None, None)
    exact = start.model.double()
    images = exact.images(labelled.to(exact.classes.unit.device, torch.float64))
    found = fit(exact, images, targets.to(exact.classes.unit))
    step = exact.unwhiten(found.step)
    return Learner(
        start.model,
        start.class_activations,
        Step(step.image.float(), step.text.float()),
        Taught(images, found.probabilities),
    )


def restore(start: Learner, step: Step, labelled: Features) -> Learner:
    """A learner from its stored step and the images that it learned from."""
    exact = start.model.double()
    learner = Learner(start.model, start.class_activations, step, None)
    device = start.class_activations.device
    logits = learner.logits(labelled.to(device, torch.float32))
    images = exact.images(labelled.to(device, torch.float64))
    taught = Taught(images, logits.double().softmax(dim=-1))
    return Learner(start.model, start.class_activations, step, taught)
