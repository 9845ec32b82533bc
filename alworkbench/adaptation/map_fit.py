"""Maximum a posteriori fit of the linearised model to labels: convex, regularised by the posterior.

    minimise over (M, M')   sum_i weight_i CE(y_i, softmax(z_i)) + |M|^2 / 2 + |M'|^2 / 2
    z = z_0 + jvp(M, M')

M and M' are whitened, so the penalty is the negative log density of the posterior. The optimum is unique
and lies in the span of the labelled images: M, M' = vjp(a) with a = weight (y - p). Newton's method finds
these dual weights a; it needs products with the covariance of the labelled logits only (Rasmussen &
Williams 2006, algorithms 3.3 and 3.5; `newton`).

Dimensions used in this file
    n  labelled images
    C  classes
    K  stacked updates
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from alworkbench.adaptation.newton import Slope, forcing, newton_direction
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate

TOLERANCE = 1e-10
"""Gradient at which a fit ends, for weights of at most one."""
_MAX_NEWTON = 200
_FLOAT32_STEPS = 30
"""Newton steps after which products run in float64; a fit takes about ten steps."""
_SHORT_STEP = 1e-3
"""A step shorter than this share was no descent direction in float32: float64 takes over."""
_MAX_LINE = 60


@dataclass(frozen=True, slots=True)
class Optimum:
    """The optimum in terms of the labelled logits."""

    dual: Float[Tensor, "n C"]
    """a = weight (y - p): `Linearisation.vjp` of it is the update."""
    logits: Float[Tensor, "n C"]
    """Of the labelled images, at the optimum."""
    probabilities: Float[Tensor, "n C"]
    objective: float
    gradient: float
    """Largest violation of a = weight (y - p): zero at the optimum."""
    iterations: int


@dataclass(frozen=True, slots=True)
class Fit(Optimum):
    """The optimum with its weight update."""

    update: WeightUpdate
    """In whitened coordinates."""


def fit(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None = None,
    head: ResidualHead | None = None,
    guess: Float[Tensor, "n C"] | None = None,
    tolerance: float = TOLERANCE,
) -> Fit:
    """Fit n labels; `targets` are one-hot, or distributions over the classes (rows sum to one).

    `images`, targets and weights (None: all one) are float64. With a residual head, the update holds its
    weights too. The rest is as in `optimum`.
    """
    if weights is None:
        weights = torch.ones_like(targets[:, 0])
    found = optimum(
        LinearisedKernel(model.classes, images, images, head),
        images.logits,
        targets,
        weights,
        guess,
        tolerance,
    )
    parts = {field.name: getattr(found, field.name) for field in fields(found)}
    return Fit(**parts, update=weight_update(model, images, found.dual, head))


def optimum(
    kernel: LinearisedKernel,
    start: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    guess: Float[Tensor, "n C"] | None = None,
    tolerance: float = TOLERANCE,
) -> Optimum:
    """The optimum for n labels whose logits are `start` without labels and have this prior covariance.

    It ends where the gradient is at most `tolerance` times the largest weight (or times 1, if that is
    larger), in float64. Newton's steps are inexact at first and finer towards the optimum (`newton`); their
    products run in float32 as long as the gradient falls. A `guess` of the dual weights can save steps; the
    optimum is the same. A label of weight zero teaches nothing: its logits are predicted from the others.
    Raises ArithmeticError where it does not converge.
    """
    dual = torch.zeros_like(targets)  # n C: a
    shift = torch.zeros_like(targets)  # n C: K a
    if guess is not None:
        moved = kernel.matvec(guess)
        size = _line_minimum(start, dual, guess, moved, targets, weights)
        dual, shift = size * guess, size * moved
    largest = max(1.0, float(weights.max())) if len(weights) else 1.0
    tolerance *= largest
    gradient, first = 0.0, 0.0
    rounded = kernel.single
    for iteration in range(_MAX_NEWTON + 1):
        logits = start + shift
        probabilities = logits.softmax(dim=-1)
        residual = weights[:, None] * (targets - probabilities) - dual
        gradient = float(residual.abs().max()) if len(targets) else 0.0
        if gradient <= tolerance:
            objective = _objective(start, dual, shift, targets, weights)
            return Optimum(dual, logits, probabilities, objective, gradient, iteration)
        if iteration == _FLOAT32_STEPS:
            rounded = kernel
        slope = Slope.of(rounded, residual)
        if slope.norm == 0 and rounded is not kernel:  # below the resolution of float32
            rounded = kernel
            slope = Slope.of(kernel, residual)
        first = first or slope.norm
        if slope.norm == 0 or largest * float(slope.moved.abs().max()) <= tolerance:
            # The rest moves no logit, so the probabilities stay and a = weight (y - p) then holds.
            dual, shift = dual + residual, shift + kernel.matvec(residual)
            continue
        direction = newton_direction(
            rounded, probabilities, weights, residual, slope, forcing(slope.norm, first)
        )
        moved = kernel.matvec(direction)
        size = _line_minimum(logits, dual, direction, moved, targets, weights)
        dual = dual + size * direction
        shift = shift + size * moved
        if size < _SHORT_STEP:
            rounded = kernel
    raise ArithmeticError(
        f"learning did not converge: gradient {gradient:.2e} after {_MAX_NEWTON} steps"
    )


def _line_minimum(
    logits: Float[Tensor, "n C"],
    dual: Float[Tensor, "n C"],
    direction: Float[Tensor, "n C"],
    moved: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> float:
    """The step size along a direction (`moved` in logits) at which the slope is 5 % of that at zero.

    The objective is convex along the line: Newton's method between brackets. It needs no product with the
    covariance, so an exact search costs little.
    """
    along = float((dual * moved).sum())
    curved = float((direction * moved).sum())
    first = 0.0
    low, high, size = 0.0, float("inf"), 0.0
    for step in range(_MAX_LINE):
        probabilities = (logits + size * moved).softmax(dim=-1)
        loss = weights[:, None] * (probabilities - targets) * moved
        slope = float(loss.sum()) + along + size * curved
        if step == 0:
            first, size = abs(slope), 1.0
            continue
        if abs(slope) <= 0.05 * first:
            break
        low, high = (low, size) if slope > 0 else (size, high)
        centred = moved - (probabilities * moved).sum(dim=-1, keepdim=True)
        curvature = (weights[:, None] * probabilities * centred.square()).sum()
        tried = size - slope / (float(curvature) + curved)
        if not low < tried < high:
            tried = (low + high) / 2
        size = min(tried, 4 * size)
    return size


def weight_update(
    model: Linearisation,
    images: ImageCoordinates,
    dual: Float[Tensor, "*K n C"],
    head: ResidualHead | None,
) -> WeightUpdate:
    """The weight update of dual weights, with the residual head's weights if there is a head."""
    update = model.vjp(images, dual)
    return update if head is None else head.add_to(update, head.vjp(images, dual))


def _objective(
    start: Float[Tensor, "n C"],
    dual: Float[Tensor, "n C"],
    shift: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
) -> float:
    """Weighted cross-entropy plus half the squared norm of the update (a . K a)."""
    loss = -(weights[:, None] * targets * log_softmax(start + shift, dim=-1)).sum()
    return float(loss + 0.5 * (dual * shift).sum())
