"""Strategies that every other one is measured against: random, and random balanced by class.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, of_streamed_logits
from alworkbench.acquisition.score import predicted_classes
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, batch_in_order, strategy


@strategy(
    "random",
    "images drawn at random: the yardstick",
    unit="none",
    cost=lambda size: Cost(size.candidates, 8 * size.candidates),
)
def random(context: AcquisitionContext) -> Batch:
    """A uniform sample without replacement; records the probability of each draw."""
    count = len(context.candidates)
    order = torch.randperm(count, generator=context.generator())
    chosen = batch_in_order(context, order, torch.zeros(count))
    left = range(count, count - len(chosen.rows), -1)
    return replace(chosen, probabilities=tuple(1 / each for each in left))


@strategy(
    "balanced-random",
    "random, in turn from each class that the model predicts",
    unit="none",
    cost=of_streamed_logits,
)
def balanced_random(context: AcquisitionContext) -> Batch:
    """Each round of turns asks one image of every predicted class, classes in random order."""
    predicted = predicted_classes(context)
    order = in_turns(predicted, context.size.classes, context.generator())
    return batch_in_order(context, order, torch.zeros(len(predicted)))


def in_turns(
    predicted: Int[Tensor, "N"], classes: int, generator: torch.Generator
) -> Int[Tensor, "N"]:
    """Positions in random order, one of each class in turn as long as there are any."""
    predicted = predicted.cpu()
    shuffled = torch.randperm(len(predicted), generator=generator)
    order = torch.randperm(classes, generator=generator)
    turn = torch.empty(len(predicted), dtype=torch.long)
    for position, label in enumerate(order.tolist()):
        own = shuffled[predicted[shuffled] == label]
        # turn-major, so that sorting by it goes round the classes
        turn[own] = torch.arange(len(own)) * classes + position
    return turn.argsort()
