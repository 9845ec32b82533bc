"""Greedy maximisation of the facility location function.

    F(S) = sum_j q_j max_{i in answered or S} kappa_ij

F is monotone and submodular: greedy picks reach at least 1 - 1/e of the largest possible increase
(Nemhauser, Wolsey & Fisher 1978). The gain of an image only falls while the batch grows, so a gain that
was computed before a pick is an upper bound after it, and few gains are computed again (lazy greedy,
Minoux 1978). Here F has two sets of weights q, one for each setting of the shrinkage (`target_weights`),
and every pick uses one of them.

Dimensions used in this file
    N  candidates          M  targets          n  some images
    P  activation size     S  settings: weak, strong
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.baselines import in_turns
from alworkbench.acquisition.similarity import EmbeddedImages
from alworkbench.acquisition.strategy import AcquisitionContext, Batch
from alworkbench.acquisition.target_weights import STRONG, WEAK
from alworkbench.core.domain import Goal

GAINS_AT_ONCE = 64
"""Outdated gains that are computed again at once."""

_ROUNDING = 1e-9
"""A product of a turn and a share counts as a whole number if it is closer than this."""

_LEAST_UNCERTAINTY = 1e-6
"""Smallest factor 1 - margin in the weak setting: if no image is undecided, gains alone decide."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets, and the matrix by which all images are whitened."""

    root: Float[Tensor, "P P"]
    images: EmbeddedImages
    weights: Float[Tensor, "M S"]
    """q_j; they sum to 1 in each setting."""

    def gains(self, images: EmbeddedImages, covered: Float[Tensor, "M"]) -> Float[Tensor, "n S"]:
        """By how much each image alone would raise F, in each setting."""
        return (images.similarity(self.images) - covered).clamp_min_(0.0) @ self.weights


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates before the first pick."""

    images: EmbeddedImages
    gains: Float[Tensor, "N S"]
    uncertainty: Float[Tensor, "N"]
    """One minus the margin."""
    predicted: Int[Tensor, "N"]


def lazy_greedy(
    context: AcquisitionContext,
    targets: Targets,
    covered: Float[Tensor, "M"],
    candidates: Candidates,
    random_picks: int,
    strong_share: float,
) -> Batch:
    """Pick by pick; an outdated gain is an upper bound, since gains only fall.

    `random_picks` of the picks are random and evenly spread over the batch. Of the others, `strong_share` are
    in the strong setting; their turns are counted on from batch to batch, so that batches of one image use
    both settings. If no gain is left (more picks than distinct images, say), the largest uncertainty decides.
    The scores are the gains, averaged over both settings.
    """
    count = min(context.batch_size, len(context.candidates))
    shuffled = iter(_shuffled(context, candidates.predicted).tolist())
    turn = len(context.labelled) + len(context.refused) + len(context.pending)
    gains = candidates.gains.clone()
    uncertainty = candidates.uncertainty
    factors = torch.ones_like(gains)
    factors[:, WEAK] = uncertainty.clamp_min(_LEAST_UNCERTAINTY)
    rows: list[int] = []
    scores: list[float] = []
    outdated = torch.zeros_like(uncertainty, dtype=torch.bool)
    taken = torch.zeros_like(outdated)
    while len(rows) < count:
        if is_due(len(rows), random_picks / count):
            best = next(row for row in shuffled if not bool(taken[row]))
            if bool(outdated[best]):
                gains[best] = targets.gains(candidates.images[[best]], covered)[0]
        else:
            setting = STRONG if is_due(turn, strong_share) else WEAK
            appeal = (gains[:, setting] * factors[:, setting]).masked_fill(taken, -torch.inf)
            best = _first_maximum(appeal)
            if float(appeal[best]) <= 0.0:
                best = _first_maximum(uncertainty.masked_fill(taken, -torch.inf))
            elif bool(outdated[best]):
                few = min(GAINS_AT_ONCE, len(appeal))
                highest = appeal.masked_fill(~outdated, -torch.inf).topk(few).indices
                again = highest[outdated[highest]].sort().values
                gains[again] = targets.gains(candidates.images[again], covered)
                outdated[again] = False
                continue
            turn += 1
        rows.append(int(context.candidates[best]))
        scores.append(max(0.0, float(gains[best].mean())))
        picked = candidates.images[[best]].similarity(targets.images)[0]
        covered = torch.maximum(covered, picked)
        taken[best] = True
        outdated = ~taken
    return Batch(tuple(rows), tuple(scores))


def is_due(turn: int, share: float) -> bool:
    """Whether this turn, counted from 0, belongs to a share of all turns that is evenly spread."""
    return math.floor((turn + 1) * share + _ROUNDING) > math.floor(turn * share + _ROUNDING)


def _shuffled(context: AcquisitionContext, predicted: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
    """Candidates in random order; with the goal `balanced`, predicted classes take turns."""
    if context.goal is Goal.BALANCED:
        return in_turns(predicted, context.size.classes, context.generator())
    return torch.randperm(len(predicted), generator=context.generator())


def _first_maximum(values: Float[Tensor, "N"]) -> int:
    """Position of the largest value; the first one of several."""
    return int((values == values.max()).to(torch.uint8).argmax())
