"""Learning from labels in the linearised model: convex, with the posterior as the regulariser.

    minimise over (M, M')   sum_i weight_i CE(y_i, softmax(z_i)) + |M|^2 / 2 + |M'|^2 / 2
    z = z_0 + change(M, M')

where M and M' are whitened, so the penalty is the posterior's (its strength is the tempering of the
posterior that the linearisation was built with). The optimum is unique and lies in the span of the
labelled images: M, M' = pull(a) with a = weight (y - p). It is found by Newton's method on those dual
weights, which needs kernel products only (Rasmussen & Williams 2006, algorithms 3.3 and 3.5).

Dimensions used in this file
    n  labelled images
    C  classes
    K  draws
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from alworkbench.adaptation.kernel import LabelGram, LabelKernel, softmax_curvature_roots
from alworkbench.posterior.linearised import ImageCoordinates, Linearisation, Step

_TOLERANCE = 1e-8
_MAX_NEWTON = 200
_SMALLEST_STEP = 2.0**-40


@dataclass(frozen=True, slots=True)
class Fit:
    """The optimum, and what is needed to condition draws on the same labels."""

    step: Step
    """What the labels moved, in whitened coordinates."""
    logits: Float[Tensor, "n C"]
    """Of the labelled images, at the optimum."""
    probabilities: Float[Tensor, "n C"]
    objective: float
    gradient: float
    """Largest violation of a = weight (y - p): zero at the optimum."""
    iterations: int


def fit(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None = None,
) -> Fit:
    """Learn from n labels; `targets` are one-hot, or distributions over the classes.

    Runs in float64 to the optimum (gradient below 1e-8), or raises ArithmeticError.
    """
    if weights is None:
        weights = torch.ones_like(targets[:, 0])
    kernel = LabelKernel.of(model, images)
    dense = kernel.dense_if_small()
    start = images.logits
    dual = torch.zeros_like(targets)  # n C: a
    shift = torch.zeros_like(targets)  # n C: K a
    objective = _objective(start, dual, shift, targets, weights)
    for iteration in range(_MAX_NEWTON + 1):
        logits = start + shift
        probabilities = logits.softmax(dim=-1)
        wanted = weights[:, None] * (targets - probabilities)
        gradient = float((wanted - dual).abs().max()) if len(targets) else 0.0
        if gradient <= _TOLERANCE:
            return Fit(
                model.pull(images, dual), logits, probabilities, objective, gradient, iteration
            )
        roots = weights.sqrt()[:, None, None] * softmax_curvature_roots(probabilities)
        gram = LabelGram(kernel, roots, dense)
        curved = torch.einsum("icd,ied,ie->ic", roots, roots, shift)
        right = curved + wanted  # Lambda (z - z_0) + weight (y - p)
        inner = gram.solve(gram.pull(kernel.apply(right)[None]))
        direction = right - gram.push(inner)[0] - dual
        moved = kernel.apply(direction)
        # Newton's step is right near the optimum; far from it, halve until the objective falls. The
        # slack is its rounding: at the optimum nothing falls any more.
        slack = 1e-13 * (1 + abs(objective))
        size = 1.0
        while True:
            tried = _objective(
                start, dual + size * direction, shift + size * moved, targets, weights
            )
            if tried <= objective + slack or size < _SMALLEST_STEP:
                break
            size /= 2
        dual = dual + size * direction
        shift = shift + size * moved
        objective = tried
    raise ArithmeticError(
        f"learning did not converge: gradient {gradient:.2e} after {_MAX_NEWTON} steps"
    )


def condition(
    model: Linearisation,
    images: ImageCoordinates,
    probabilities: Float[Tensor, "n C"],
    draws: Step,
    generator: torch.Generator,
    weights: Float[Tensor, "n"] | None = None,
) -> Step:
    """Draws of the posterior given the labels, from draws of the posterior without them.

    Exact for the Gaussian posterior of the linearised model (the Laplace approximation at the fit):
    each draw is corrected by what its own noisy labels would have taught, Matheron's rule; Wilson et
    al., "Pathwise conditioning of Gaussian processes", arXiv:2011.04026. `draws` and the result are K
    stacked changes about the optimum (mean zero). `probabilities` are those at the optimum.
    """
    count = draws.image.shape[0]
    roots = softmax_curvature_roots(probabilities)
    if weights is not None:
        roots = weights.sqrt()[:, None, None] * roots
    kernel = LabelKernel.of(model, images)
    gram = LabelGram(kernel, roots, kernel.dense_if_small())
    own = model.change(images, Step(draws.image.to(roots), draws.text.to(roots)))  # K n C
    noise = torch.randn(
        len(probabilities), probabilities.shape[1], count, generator=generator, dtype=roots.dtype
    ).permute(
        2, 0, 1
    )  # K n C; label-major, so that earlier labels keep their noise in later rounds
    taught = model.pull(images, gram.push(gram.solve(gram.pull(own) + noise.to(roots))))
    return Step(draws.image - taught.image.to(draws.image), draws.text - taught.text.to(draws.text))


def _objective(
    start: Float[Tensor, "n C"],
    dual: Float[Tensor, "n C"],
    shift: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> float:
    """Weighted cross-entropy plus half the squared norm of the step (a . K a)."""
    loss = -(weights[:, None] * targets * log_softmax(start + shift, dim=-1)).sum()
    return float(loss + 0.5 * (dual * shift).sum())
