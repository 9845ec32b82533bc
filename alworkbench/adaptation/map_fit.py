"""Learning from labels in the linearised model: convex, with the posterior as the regulariser.

    minimise over (M, M')   sum_i weight_i CE(y_i, softmax(z_i)) + |M|^2 / 2 + |M'|^2 / 2
    z = z_0 + jvp(M, M')

where M and M' are whitened, so the penalty is the posterior's (its strength is the tempering of the
posterior that the linearisation was built with). The optimum is unique and lies in the span of the
labelled images: M, M' = vjp(a) with a = weight (y - p). It is found by Newton's method on those dual
weights, which needs kernel products only (Rasmussen & Williams 2006, algorithms 3.3 and 3.5; `newton`).

Dimensions used in this file
    n  labelled images
    C  classes
    K  draws
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from alworkbench.adaptation.label_gram import LabelGram
from alworkbench.adaptation.newton import Slope, forcing, newton_direction
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate

TOLERANCE = 1e-10
_MAX_NEWTON = 200
_EARLY = 30
"""Newton steps after which float32 is given up: a fit takes about ten."""
_SHORT = 1e-3
"""A step that must be cut to this share was no descent: float32 is given up."""
_MAX_LINE = 60

DRAWS_AT_ONCE = 16
"""That are corrected together: beside the draws and what they become, little is held."""
_SOLVED_NUMBERS = 1 << 21
"""Of right-hand sides that are solved for together, where that is more than DRAWS_AT_ONCE draws."""

CONDITIONED = 1e-4
"""Largest relative residual of the system that each conditioned draw solves. No eigenvalue of it is
below one, so what a draw is corrected by is that exact: far below the noise of any number of draws."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """In logits, which is all that the labels' covariance can tell."""

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
    """The optimum, and what is needed to condition draws on the same labels."""

    update: WeightUpdate
    """What the labels moved, in whitened coordinates."""


def fit(
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None = None,
    head: ResidualHead | None = None,
    guess: Float[Tensor, "n C"] | None = None,
    tolerance: float = TOLERANCE,
) -> Fit:
    """Learn from n labels; `targets` are one-hot, or distributions over the classes (rows sum to one).

    With a residual head, the update holds its weights too. The rest is as in `optimum`.
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
    return Fit(**parts, update=_update_of(model, images, found.dual, head))


def optimum(
    kernel: LinearisedKernel,
    start: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    guess: Float[Tensor, "n C"] | None = None,
    tolerance: float = TOLERANCE,
) -> Optimum:
    """What n labels teach whose logits are `start` before, and have this covariance.

    Runs in float64 to the optimum: gradient at most 1e-10 (`tolerance`) of the largest weight (or of 1,
    if that is larger); raises ArithmeticError otherwise. Newton's steps are inexact, ever finer towards the
    optimum (`newton`), and run in float32 as long as that serves: the gradient decides. A `guess` of
    the dual weights may shorten the way to the optimum, which is the same. An image of weight zero
    teaches nothing, and its logits are what the others say of it.
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
        if iteration == _EARLY:
            rounded = kernel
        slope = Slope.of(rounded, residual)
        if slope.norm == 0 and rounded is not kernel:  # float32 sees nothing that is left to do
            rounded = kernel
            slope = Slope.of(kernel, residual)
        first = first or slope.norm
        if slope.norm == 0 or largest * float(slope.moved.abs().max()) <= tolerance:
            # What is left moves no logit: probabilities stay, and a = weight (y - p) holds after it.
            dual, shift = dual + residual, shift + kernel.matvec(residual)
            continue
        direction = newton_direction(
            rounded, probabilities, weights, residual, slope, forcing(slope.norm, first)
        )
        moved = kernel.matvec(direction)
        size = _line_minimum(logits, dual, direction, moved, targets, weights)
        dual = dual + size * direction
        shift = shift + size * moved
        if size < _SHORT:
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
    """How far to go along a direction (`moved` in logits): to where the slope is 5 % of the first.

    No product with the covariance is needed, so searching well is free. The objective is convex along
    the line: Newton's method between brackets.
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


def condition(
    model: Linearisation,
    images: ImageCoordinates,
    probabilities: Float[Tensor, "n C"],
    draws: WeightUpdate,
    generator: torch.Generator,
    weights: Float[Tensor, "n"] | None = None,
    head: ResidualHead | None = None,
) -> WeightUpdate:
    """Draws of the posterior given the labels, from draws of the posterior without them.

    Exact for the Gaussian posterior of the linearised model (the Laplace approximation at the fit),
    to CONDITIONED: each draw is corrected by what its own noisy labels would have taught, Matheron's
    rule; Wilson et al., "Pathwise conditioning of Gaussian processes", arXiv:2011.04026. `draws` and
    the result are K stacked changes about the optimum (mean zero), in the model's precision; `images`
    and `probabilities`, those at the optimum, are float64. With a residual
    head, the draws hold its weights too. `Size.draws_peak` states the memory that this needs.
    """
    count, classes = len(draws), probabilities.shape[1]
    kernel = LinearisedKernel(model.double().classes, images, images, head)
    gram = LabelGram(kernel, probabilities, weights)
    seen = images.to(model.classes.unit.dtype)
    noise = torch.randn(
        len(probabilities), classes, count, generator=generator, dtype=probabilities.dtype
    ).permute(
        2, 0, 1
    )  # K n C; label-major, so that earlier labels keep their noise in later rounds
    kept = draws.map(torch.clone)
    for group in torch.arange(count).split(solved_at_once(probabilities.numel())):
        parts = [slice(int(few[0]), int(few[-1]) + 1) for few in group.split(DRAWS_AT_ONCE)]
        changes = torch.cat([model.jvp(seen, draws[part]) for part in parts])
        right = gram.apply_root_transpose(changes.to(probabilities)).add_(
            noise[parts[0].start : parts[-1].stop].to(probabilities)
        )
        dual = gram.apply_root(gram.solve(right, CONDITIONED)).to(seen.logits)  # k n C
        for part, weighed in zip(parts, dual.split(DRAWS_AT_ONCE), strict=True):
            kept[part].subtract_(_update_of(model, seen, weighed, head))
    return kept


def _update_of(
    model: Linearisation,
    images: ImageCoordinates,
    dual: Float[Tensor, "*K n C"],
    head: ResidualHead | None,
) -> WeightUpdate:
    """The weight update of dual weights, with the residual head's weights if there is a head."""
    update = model.vjp(images, dual)
    return update if head is None else head.add_to(update, head.vjp(images, dual))


def solved_at_once(pairs: int) -> int:
    """Draws that one block of right-hand sides stands for, of so many (image, class) pairs."""
    return max(DRAWS_AT_ONCE, _SOLVED_NUMBERS // max(1, pairs))


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
