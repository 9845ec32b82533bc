"""Both projections themselves, moved under the posterior: the model that the linearised one is of.

    minimise over (M, M')  sum_i weight_i CE(y_i, softmax(logits(W + L_B M L_A^T, V + L_B' M' L_A'^T)))
                           + |M|^2 / 2 + |M'|^2 / 2

The same penalty as `linearised`, with cosines of what moves. Not convex: there are several optima, and
which one is found depends on where the search starts (here: the model as it came) and on how. It is
a comparison, not the default, and its draws are those of another model. Baumann et al.,
arXiv:2412.06014, for the posterior; L-BFGS as in Liu & Nocedal, 1989.

Dimensions used in this file
    n  labelled images
    C  classes
    D  embedding size, P and Q activation sizes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import Lesson, Settings, adaptation
from alworkbench.encoders.head import Features, Head

_GRADIENT = 1e-5
"""Largest entry of the gradient at which a search has ended, per unit of weight."""
_MAX_ITERATIONS = 5000
_RESTARTS = 20
_STANDSTILL = 1e-9
"""A search begun anew where the last one ended, and that gains less of the objective than this, says
that there is nothing left to gain."""


@dataclass(frozen=True, slots=True)
class MovedHead:
    """The model with other projections."""

    head: Head
    class_activations: Float[Tensor, "C Q"]

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of the fine-tuned head."""
        return self.head.logits(features, self.class_activations)


def moved_head(
    learner: Learner, image: Float[Tensor, "D P"], text: Float[Tensor, "D Q"]
) -> MovedHead:
    """The learner's model with these projections, in its own precision."""
    head, dtype = learner.model.head, learner.class_activations.dtype
    moved = Head(image.to(dtype), text.to(dtype), head.logit_scale, head.logit_bias, head.loss)
    return MovedHead(moved, learner.class_activations)


@adaptation("projections", "both projections under their posteriors, not linearised: not convex")
def projections(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """An optimum of the objective above, the one that L-BFGS finds from the model as it came.

    float64. The search ends at a zero of the gradient, or where searching anew gains nothing: a weak
    posterior lets an embedding shrink to almost nothing, where turning costs nothing and the objective
    is too steep for its gradient to vanish in float64. Raises ArithmeticError where it ends at
    neither.
    """
    model = learner.model.double()
    head, classes = model.head, model.classes
    device = lesson.targets.device
    whitened = lesson.labelled.activations @ model.image_activation_root  # n P
    base = head.embed_images(lesson.labelled)  # n D
    names = learner.class_activations.double() @ head.text_projection.T  # C D
    shapes = head.image_projection.shape, head.text_projection.shape
    split = math.prod(shapes[0])

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        point = torch.tensor(flat, device=device, requires_grad=True)
        image, text = point[:split].view(shapes[0]), point[split:].view(shapes[1])
        moved = base + (whitened @ image.T) @ model.image_embedding_root.T  # n D
        named = names + (classes.whitened @ text.T) @ model.text_embedding_root.T  # C D
        logits = head.logit_scale * normalize(moved, dim=-1) @ normalize(named, dim=-1).T
        errors = -(lesson.targets * log_softmax(logits, dim=-1)).sum(dim=-1)  # n
        loss = (lesson.weights * errors).sum() + point.square().sum() / 2
        (gradient,) = torch.autograd.grad(loss, point)
        return loss.item(), gradient.cpu().numpy()

    origin = np.zeros(split + math.prod(shapes[1]))
    allowed = _GRADIENT * max(1.0, float(lesson.weights.max())) * _steepness(learner)
    best, lowest = origin, objective(origin)[0]
    for _ in range(_RESTARTS):
        found = minimize(
            objective,
            best,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": _MAX_ITERATIONS,
                "maxfun": 2 * _MAX_ITERATIONS,
                "gtol": allowed,
                "ftol": 0.0,
                "maxcor": 30,
            },
        )
        gained = lowest - found.fun
        if gained > 0:
            best, lowest = found.x, found.fun
        flat = float(np.abs(found.jac).max()) <= allowed
        if flat or gained <= _STANDSTILL * (1 + abs(lowest)):
            break
    else:
        raise ArithmeticError(
            f"learning both projections did not converge: objective {lowest:.6g} still falls after "
            f"{_RESTARTS} searches of up to {_MAX_ITERATIONS} iterations"
        )
    point = torch.tensor(best, device=device)
    image, text = point[:split].view(shapes[0]), point[split:].view(shapes[1])
    return moved_head(
        learner,
        head.image_projection + model.image_embedding_root @ image @ model.image_activation_root.T,
        head.text_projection + model.text_embedding_root @ text @ model.text_activation_root.T,
    )


def _steepness(learner: Learner) -> float:
    """How much a logit of the labelled images moves with a unit step, at most: scales the gradient."""
    assert learner.taught is not None
    variances = learner.model.double().class_covariance(learner.taught.images)  # n C C
    return max(1.0, float(variances.diagonal(dim1=-2, dim2=-1).max()) ** 0.5)
