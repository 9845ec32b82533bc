"""The linearised model and a probe in one: classes may also move on their own.

    z_ic = z_0 + change(M, M')_ic + b_c . x_i       x_i = (phi~_i - mean) / r,  b_c ~ Normal(0, 100 I)

with r the root mean square length of the labelled images' centred whitened activations phi~ (means
weighted as the labels are). The projections see classes through their names' embeddings; where a model
does not know the names, these hardly differ and many labels teach less than a plain probe learns from
them. The term in b_c is a linear probe with a Gaussian prior, learned together with the rest: the
problem stays convex, and one more n x n matrix is all that its covariance costs.

Measured on development data (accuracy at strengths 1e-3, random labels), on which 100 was also chosen,
from 1, 10 and 100; the probe is the best of six C, looking at the test part:
    digits, names unknown   30 / 100 labels, 3 seeds   500, one seed
        without the term    .512 / .737                .914
        with it             .583 / .803                .954
        best probe          .573 / .800                .958
    bundled sample
        without the term    .615 / .674                .731
        with it             .607 / .668                .740
        best probe          .574 / .664                .744

Dimensions used in this file
    N  images, n labelled ones
    C  classes
    P  activation size
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor, Taught
from alworkbench.adaptation.linearised import fit
from alworkbench.adaptation.registry import Lesson, Settings, adaptation
from alworkbench.heads import Features
from alworkbench.posterior.linearised import Step

VARIANCE = 100.0
"""Prior variance of what a class adds to the logit of a labelled image of mean length."""


@dataclass(frozen=True, slots=True)
class FreeWeights:
    projections: Learner
    weights: Float[Tensor, "C P"]
    """Of activations as they are."""
    offsets: Float[Tensor, "C"]
    taught: Taught
    """What leaving labels out needs: with the probabilities at this model's optimum. float64."""
    class_free: Float[Tensor, "n n"]
    """The term's covariance between labelled images, of one class. float64."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        return (
            self.projections.logits(features)
            + features.activations @ self.weights.to(features.activations).T
            + self.offsets.to(features.activations)
        )


@adaptation("free-weights", "the linearised model with weights of each class's own: unknown names")
def free_weights(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """The optimum of `linearised.fit` with the term above; float64, gradient as stated there.

    The draws beneath are those of the linearised model without the term. A single image says nothing
    about how classes differ, so it teaches what it teaches without the term.
    """
    model = learner.model.double()
    images = model.images(lesson.labelled)
    shares = lesson.weights / lesson.weights.sum().clamp_min(torch.finfo(torch.float64).tiny)
    mean = shares @ images.whitened
    centred = images.whitened - mean  # n P
    square = float(shares @ centred.square().sum(dim=-1))
    share = VARIANCE / square if square > 0 else 0.0
    class_free = share * centred @ centred.T
    guess = None
    if learner.taught is not None:
        guess = lesson.weights[:, None] * (lesson.targets - learner.taught.probabilities)
    found = fit(model, images, lesson.targets, lesson.weights, class_free, guess)
    step = model.unwhiten(found.step)
    moved = Learner(
        learner.model,
        learner.class_activations,
        Step(step.image.float(), step.text.float()),
        None,
    )
    own = share * found.dual.T @ centred  # C P, whitened
    dtype = learner.class_activations.dtype
    weights = own @ model.image_activation_root.T
    return FreeWeights(
        moved,
        weights.to(dtype),
        -(own @ mean).to(dtype),
        Taught(images, found.probabilities, lesson.weights),
        class_free,
    )
