"""The posterior-based default: a greedy batch that teaches most about the pool's predictions."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig import DrawSpace, greedy_epig
from alworkbench.acquisition.registry import BLOCK_ROWS, Question, Selection, strategy
from alworkbench.posterior.linearised import Step


def _cost(size: Size) -> Cost:
    """Draws of candidates and targets; per pick, products of K x K with all of them."""
    images = size.candidates + size.targets
    pick = images * size.draws * size.classes * (size.draws + size.classes)
    held = 8 * (size.targets + size.batch) * size.draws * size.classes
    return Cost(size.logits + size.drawn(images) + size.batch * pick, held)


@strategy(
    "epig",
    "greedy batch of most information about the pool's predictions",
    unit="nats",
    cost=_cost,
)
def epig(question: Question) -> Selection:
    """Greedy EPIG in draw space, targets weighted so that all predicted classes matter alike.

    A pool whose draws do not fit the memory budget is thinned to a random part of it first.
    """
    model = question.learner.model
    step = question.learner.draws(question.draws, question.draw_seed)
    rows = _affordable(question, len(model.classes.unit))
    candidates = _draw_space(question, rows, step)
    targets = _draw_space(question, question.targets, step)
    probabilities = targets.probabilities  # M C
    mass = probabilities.sum(dim=0).clamp_min(1e-12)  # C: images predicted in each class
    weights = (probabilities / mass).sum(dim=-1)  # M
    picks = greedy_epig(candidates, targets, weights, question.batch_size)
    return Selection(
        tuple(int(rows[pick.row]) for pick in picks), tuple(pick.score for pick in picks)
    )


def _affordable(question: Question, classes: int) -> Int[Tensor, "n"]:
    """The candidates, or a random part of them whose draws fit half of the memory budget."""
    # deviations and their whitened twin of one block beside them, in single precision
    most = max(question.batch_size, question.memory // (2 * 4 * question.draws * classes))
    if len(question.candidates) <= most:
        return question.candidates
    chosen = torch.randperm(len(question.candidates), generator=question.generator())[:most]
    return question.candidates[chosen.sort().values]


def _draw_space(question: Question, rows: Int[Tensor, "n"], step: Step) -> DrawSpace:
    """The images of these rows under the draws, streamed into one block of memory."""
    model = question.learner.model
    size = model.classes.unit.shape[1] + 3 * len(model.classes.unit)
    block = max(1, min(BLOCK_ROWS, question.memory // (8 * question.draws * size)))
    device = question.learner.class_activations.device
    parts = [
        DrawSpace.of(model.change(model.images(features), step), question.learner.logits(features))
        for _, features in question.table.blocks(rows, block, device)
    ]
    return DrawSpace.concatenate(parts)
