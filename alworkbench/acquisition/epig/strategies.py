"""The strategy `epig`: greedy batches by EPIG in the space of joint draws. The mathematics is in
`draw_space`.

An image needs K C numbers. If these fit the memory for every candidate, the greedy choice is among all
candidates. If not, one streamed pass scores every candidate by itself, and the greedy choice is among the
best of them, as many as fit. Drawing the pool again for every pick would cost one pass a pick, and a
random part of the pool has hardly any images of rare classes.

Dimensions used in this file
    N  candidates
    M  targets
    C  classes
    K  draws
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig.draw_space import BLOCK, DrawSpace, TargetSummary, greedy_epig
from alworkbench.acquisition.score import joined
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy
from alworkbench.posterior.linearisation import WeightUpdate


def _row(size: Size) -> int:
    """Bytes of one image in the space of draws."""
    return 4 * size.draws * size.classes


def _working_row(size: Size) -> int:
    """Bytes of one image while its draws are computed and scored."""
    return size.drawn_row + 3 * _row(size) + 16 * size.classes**2


def _held(size: Size) -> int:
    """Bytes of the draws, the targets and the K x K matrices, which are held while candidates stream."""
    return size.draws_held + size.targets * (_row(size) + 8 * size.classes) + 32 * size.draws**2


def _cost_alone(size: Size) -> Cost:
    images = size.candidates + size.targets
    weigh = images * size.draws * size.classes * (size.draws + size.classes)
    held = _held(size) + _working_row(size) + 24 * size.candidates
    return Cost(size.logits + size.drawn(images) + weigh, max(size.draws_peak, held))


def _cost_greedy(size: Size) -> Cost:
    """Draws of candidates and targets; for each pick, products of a K x K matrix with all of them."""
    alone = _cost_alone(size)
    pick = (
        (size.candidates + size.targets) * size.draws * size.classes * (size.draws + size.classes)
    )
    return Cost(alone.operations + size.batch * pick, alone.memory + size.batch * _row(size))


@dataclass(frozen=True, slots=True)
class DrawnTargets:
    """The posterior draws, and the targets in their space."""

    draws: WeightUpdate
    targets: DrawSpace
    weights: Float[Tensor, "M"]

    @classmethod
    def of(cls, context: AcquisitionContext) -> DrawnTargets:
        """With the draws and the targets of a context."""
        draws = context.learner.draws(context.draws, context.draw_seed)
        targets = _space(context, context.targets, draws, context.size.draws_held)
        return cls(draws, targets, balanced_weights(targets.probabilities))


def balanced_weights(probabilities: Float[Tensor, "M C"]) -> Float[Tensor, "M"]:
    """Weights of the targets with which all predicted classes count equally."""
    mass = probabilities.sum(dim=0).clamp_min(1e-12)  # C: predicted number of images of each class
    return (probabilities / mass).sum(dim=-1)


def _spaces(
    context: AcquisitionContext, rows: Int[Tensor, "n"], draws: WeightUpdate, held: int
) -> Iterator[DrawSpace]:
    """The images of these rows in the space of draws, block by block, in order."""
    model = context.learner.model
    for features in context.blocks(rows, _working_row(context.size), held):
        change = model.jvp(model.images(features), draws)
        yield DrawSpace.of(change, context.learner.logits(features))


def _space(
    context: AcquisitionContext, rows: Int[Tensor, "n"], draws: WeightUpdate, held: int
) -> DrawSpace:
    """The images of these rows in the space of draws, in one block of memory."""
    size = context.size
    device = context.learner.class_activations.device
    seen = torch.empty(len(rows), size.classes, size.draws, device=device)
    probabilities = torch.empty(len(rows), size.classes, device=device)
    done = 0
    for part in _spaces(context, rows, draws, held + len(rows) * _row(size)):
        seen[done : done + len(part)] = part.seen
        probabilities[done : done + len(part)] = part.probabilities
        done += len(part)
    return DrawSpace(seen, probabilities)


def _solved_at_once(context: AcquisitionContext) -> int:
    """Images whose C x C systems are solved at once: in at most 64 MiB and an eighth of the memory."""
    size = context.size
    most = min(64 << 20, context.memory // 8)
    return max(1, min(BLOCK, most // (16 * size.classes**2 + 4 * _row(size))))


def _single_scores(context: AcquisitionContext, drawn: DrawnTargets) -> Float[Tensor, "N"]:
    """EPIG of every candidate by itself, streamed, corrected for the bias of few draws."""
    size, block = context.size, _solved_at_once(context)
    wanted = TargetSummary.of(drawn.targets, drawn.weights, block=block)
    parts = (
        wanted.scores(part, corrected=True, block=block)
        for part in _spaces(context, context.candidates, drawn.draws, _held(size))
    )
    return joined(parts, size.candidates)


def _greedy(context: AcquisitionContext, drawn: DrawnTargets, rows: Int[Tensor, "n"]) -> Batch:
    """The greedy batch among candidates whose draws fit the memory."""
    size = context.size
    candidates = _space(context, rows, drawn.draws, _held(size))
    picks = greedy_epig(
        candidates, drawn.targets, drawn.weights, context.batch_size, block=_solved_at_once(context)
    )
    return Batch(tuple(int(rows[pick.row]) for pick in picks), tuple(pick.score for pick in picks))


@strategy("epig", cost=_cost_greedy)
def epig(context: AcquisitionContext) -> Batch:
    """Greedy EPIG; the targets are weighted so that all predicted classes count equally.

    Among all candidates if their draws fit the memory, otherwise among those with the highest single scores.
    """
    size = context.size
    drawn = DrawnTargets.of(context)
    free = context.memory - _held(size) - _working_row(size) - 24 * size.candidates
    most = max(size.batch, free // _row(size))
    if size.candidates <= most:
        return _greedy(context, drawn, context.candidates)
    single = _single_scores(context, drawn)
    kept = (
        scores.best(single, most).sort().values
    )  # in the order of the pool, so that ties go to the earlier row
    return _greedy(context, drawn, context.candidates.cpu()[kept])
