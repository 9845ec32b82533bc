"""Turns of the classes: any score, balanced by what the model says an image shows.

At each turn the class that has the fewest labels (those given, and the picks so far by their predicted
class) asks its best image. A class that the model predicts nowhere is passed over. O(N log N) beside
the score.

Dimensions used in this file
    N  candidates
    C  classes
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig.strategies import EPIG
from alworkbench.acquisition.score import Score, predicted_classes
from alworkbench.acquisition.strategy import (
    AcquisitionContext,
    Batch,
    Strategy,
    batch_in_order,
    strategy,
)
from alworkbench.acquisition.uncertainty import BALD, ENTROPY, MARGIN


def by_turns(
    values: Float[Tensor, "N"], predicted: Int[Tensor, "N"], counts: list[int], batch: int
) -> Int[Tensor, "B"]:
    """Positions in the order in which they are asked; ties go to the earlier class and row.

    `counts` are the labels that each class has already.
    """
    order = values.argsort(descending=True, stable=True)
    of_class = predicted[order]
    queues = {c: order[of_class == c].tolist()[::-1] for c in of_class.unique().tolist()}
    heap = [(counts[c], c) for c in queues]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < batch:
        count, c = heapq.heappop(heap)
        chosen.append(queues[c].pop())
        if queues[c]:
            heapq.heappush(heap, (count + 1, c))
    return torch.tensor(chosen, dtype=torch.long)


def balanced(score: Score) -> Callable[[AcquisitionContext], Batch]:
    """A choice by turns of the predicted classes."""

    def choose(context: AcquisitionContext) -> Batch:
        values = score.of(context).cpu()
        counts = torch.bincount(context.labels.cpu(), minlength=context.size.classes)
        order = by_turns(values, predicted_classes(context), counts.tolist(), context.batch_size)
        return batch_in_order(context, order, values)

    return choose


def register_balanced(score: Score) -> Strategy:
    """Register balanced-SCORE."""

    def cost(size: Size) -> Cost:
        base = score.cost(size)
        lists = 64 * size.candidates  # Python's lists of positions
        return Cost(base.operations + size.logits, base.memory + lists)

    register = strategy(
        f"balanced-{score.name}",
        f"best by {score.name}, in turns of the predicted classes, fewest labels first",
        unit=score.unit,
        cost=cost,
        source=score.source,
        range=score.range,
    )
    return register(balanced(score))


balanced_margin = register_balanced(MARGIN)
balanced_entropy = register_balanced(ENTROPY)
balanced_bald = register_balanced(BALD)
balanced_epig = register_balanced(EPIG)
