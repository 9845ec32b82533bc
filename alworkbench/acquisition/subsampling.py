"""Subsampling of large pools: fewer targets and candidates, without bias.

If the pool is the target, its images without an answer are the targets. Up to `most_targets` (4,096) of
them are all used. A larger pool is represented by a priority sample, weighted by the target weights
(`target_weights`). Each shrinkage setting has a share of the weight, equal to its share of the picks.
Sums over the sample are unbiased and every image with a large weight is kept: if a class is predicted for
a dozen images of a large pool, all twelve are targets. Images of a rare class that are predicted as
another class are as rare in the sample as in the pool.

If there are more than `most_candidates` (8,192) candidates, only those with the highest priorities can be
picked. Where uncertain images are common many of them are sampled, and one image of a group of similar
ones is enough.

Dimensions used in this file
    N  candidates          M  targets          C  classes          S  settings: weak, strong
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Size
from alworkbench.acquisition.pool_runs import Run, over_runs
from alworkbench.acquisition.priority_sampling import priorities, priority_sample
from alworkbench.acquisition.score import joined
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.acquisition.target_weights import TargetWeights

BYTES_PER_CANDIDATE = 56
"""Memory for each candidate while the sample is drawn."""


@dataclass(frozen=True, slots=True)
class Subsample:
    """The targets and candidates that are used, and what each target represents."""

    context: AcquisitionContext
    """The context with the sampled targets and candidates."""
    target_weights: TargetWeights | None = None
    """Computed on the whole pool; None if classes are to be counted on the targets."""
    scale: Float[Tensor, "S"] | None = None
    """By what the weights of each setting were multiplied for the sampling; None: nothing was sampled."""
    threshold: float = 0.0
    """theta of the priority sample."""

    def represented(self, weights: Float[Tensor, "M S"]) -> Float[Tensor, "M S"]:
        """The weight that each target represents: its own, and that of images which were not sampled."""
        if self.scale is None:
            return weights
        combined = (weights @ self.scale.to(weights)).clamp_min(torch.finfo(weights.dtype).tiny)
        return weights * (self.threshold / combined).clamp_min(1.0)[:, None]


def target_count(size: Size) -> int:
    """Number of targets that will be used."""
    return min(size.settings.most_targets, size.candidates) if size.pool_is_target else size.targets


def candidate_count(size: Size) -> int:
    """Number of candidates that can be picked."""
    return min(size.candidates, max(size.settings.most_candidates, size.batch))


def logit_operations(size: Size) -> int:
    """Largest number of operations: logits of all candidates and of the images that count classes."""
    counted = size.targets
    if size.pool_is_target:
        counted = min(size.settings.class_count_images, size.candidates)
    return size.logits_of(size.candidates + counted)


def subsample(context: AcquisitionContext, held: int, shares: Float[Tensor, "S"]) -> Subsample:
    """Choose the targets and candidates, both from the same priorities.

    `shares` are the shares of the picks of both settings. `held` is the memory in bytes that is in use while
    images are streamed.
    """
    size, candidates = context.size, context.candidates
    few = candidate_count(size)
    if context.pool_is_target and len(candidates) <= context.settings.most_targets:
        return Subsample(replace(context, targets=candidates))
    if not context.pool_is_target and len(candidates) == few:
        return Subsample(context)
    target_weights = _target_weights(context, held)
    weights = _weights(context, target_weights, held)
    totals = weights.sum(dim=0)
    scale = shares.to(totals) / totals.clamp_min(torch.finfo(totals.dtype).tiny)
    found = priorities(weights @ scale, context.generator())
    first = candidates[found.topk(few).indices.sort().values]
    if not context.pool_is_target:
        return Subsample(replace(context, candidates=first), target_weights)
    sampled, threshold = priority_sample(found, context.settings.most_targets)
    smaller = replace(context, candidates=first, targets=candidates[sampled])
    return Subsample(smaller, target_weights, scale, threshold)


def _target_weights(context: AcquisitionContext, held: int) -> TargetWeights:
    """Classes are counted on the targets, or on a random part of the pool if the pool is the target."""
    rows = context.targets
    if context.pool_is_target:
        order = torch.randperm(len(context.candidates), generator=context.generator())
        rows = context.candidates[order[: context.settings.class_count_images].sort().values]
    mass = context.learner.class_activations.new_zeros(context.size.classes)
    for logits in context.streamed_logits_of(rows, held):
        mass = mass + logits.softmax(dim=-1).sum(dim=0)
    return TargetWeights.for_goal(context.goal, mass, context.labels, context.settings)


@dataclass(frozen=True, slots=True)
class Weighing:
    """What the target weights of every candidate need."""

    context: AcquisitionContext
    target_weights: TargetWeights
    held: int
    """Bytes in use while images are streamed."""


def weights_of_run(weighing: Weighing, run: Run) -> Float[Tensor, "n S"]:
    """The target weights of a run of candidates, on the CPU."""
    return _streamed_weights(
        replace(weighing.context, candidates=run.rows()), weighing.target_weights, weighing.held
    )


def _weights(
    context: AcquisitionContext, target_weights: TargetWeights, held: int
) -> Float[Tensor, "N S"]:
    """The target weights of all candidates: 8 bytes of each come back from an engine."""
    if context.engine is None:
        return _streamed_weights(context, target_weights, held)
    found = over_runs(
        context,
        context.block_rows(context.size.logits_row, held),
        weights_of_run,
        lambda bare: Weighing(bare, target_weights, held),
        "weighing the pool",
    )
    return joined((weights for _, weights in found), len(context.candidates))


def _streamed_weights(
    context: AcquisitionContext, target_weights: TargetWeights, held: int
) -> Float[Tensor, "N S"]:
    found = (target_weights.of(logits.softmax(dim=-1)) for logits in context.streamed_logits(held))
    return joined(found, len(context.candidates))
