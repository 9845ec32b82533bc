"""Which images are looked at where a pool has more than can be compared with each other.

Where the pool is what matters, its images without an answer are the targets: all of them, or of more than
4,096 (`TARGETS`) a priority sample by their weight, doubt counted for the classes (`doubt`), of which
either view has its share. It adds up to the same on average and keeps every image of large weight: of a class
that is predicted for a dozen images of a large pool, that dozen. Images of a rare class that are taken for
others are as rare in it as in the pool. Of more than 8,192 candidates (`SHORTLIST`) the first in order of
priority may be chosen: places where doubt is common are drawn often, and one image of each suffices.

Dimensions used in this file
    N  candidates          C  classes          V  the two views of doubt
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Size
from alworkbench.acquisition.priority_sampling import priorities, priority_sample
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.acquisition.target_weights import Weighing, tested_by

TARGETS = 4096
"""Images that stand for a pool."""

SHORTLIST = 8192
"""Candidates that may be chosen; more where the batch is larger."""

COUNTED = 16_384
"""Images of a pool, drawn at random, over which predicted classes are counted."""

HELD = 56
"""Bytes for each candidate while some are drawn."""


@dataclass(frozen=True, slots=True)
class Considered:
    """What is looked at when there are many images."""

    context: AcquisitionContext
    """With the targets and the candidates that were drawn, if any were."""
    weighing: Weighing | None = None
    """None: classes are counted on the targets."""
    scale: Float[Tensor, "V"] | None = None
    """What a unit of either view's doubt is of all doubt; None: no targets were drawn."""
    least: float = 0.0
    """Smallest share of the doubt that a target stands for."""

    def stood_for(self, weights: Float[Tensor, "M V"]) -> Float[Tensor, "M V"]:
        """What targets of such weights stand for: themselves, and those that were not drawn."""
        if self.scale is None:
            return weights
        shares = (weights @ self.scale.to(weights)).clamp_min(torch.finfo(weights.dtype).tiny)
        return weights * (self.least / shares).clamp_min(1.0)[:, None]


def targets_of(size: Size) -> int:
    """How many targets will be looked at."""
    return min(TARGETS, size.candidates) if size.pool_is_target else size.targets


def shortlist_of(size: Size) -> int:
    """How many candidates may be chosen."""
    return min(size.candidates, max(SHORTLIST, size.batch))


def logits_for(size: Size) -> int:
    """Operations at most: the logits of all candidates, and of those that classes are counted on."""
    counted = min(COUNTED, size.candidates) if size.pool_is_target else size.targets
    return size.logits_of(size.candidates + counted)


def consider(context: AcquisitionContext, held: int, views: Float[Tensor, "V"]) -> Considered:
    """One draw serves targets and candidates. `held` are bytes held beside what streams.

    `views` are their shares of the picks.
    """
    size, candidates = context.size, context.candidates
    few = shortlist_of(size)
    if context.pool_is_target and len(candidates) <= TARGETS:
        return Considered(replace(context, targets=candidates))
    if not context.pool_is_target and len(candidates) == few:
        return Considered(context)
    weighing = _weighing(context, held)
    weights = torch.cat(
        [weighing.of(logits.softmax(dim=-1)).cpu() for logits in context.streamed_logits(held)]
    )
    totals = weights.sum(dim=0)
    scale = views.to(totals) / totals.clamp_min(torch.finfo(totals.dtype).tiny)
    found = priorities(weights @ scale, context.generator())
    first = candidates[found.topk(few).indices.sort().values]
    if not context.pool_is_target:
        return Considered(replace(context, candidates=first), weighing)
    drawn, least = priority_sample(found, TARGETS)
    asked = replace(context, candidates=first, targets=candidates[drawn])
    return Considered(asked, weighing, scale, least)


def _weighing(context: AcquisitionContext, held: int) -> Weighing:
    """With classes counted on the targets, or on many of the pool where it is what matters."""
    rows = context.targets
    if context.pool_is_target:
        order = torch.randperm(len(context.candidates), generator=context.generator())
        rows = context.candidates[order[:COUNTED].sort().values]
    mass = context.learner.class_activations.new_zeros(context.size.classes)
    for logits in context.streamed_logits_of(rows, held):
        mass = mass + logits.softmax(dim=-1).sum(dim=0)
    return Weighing.by(context.goal, mass, tested_by(context.labels, context.size.classes))
