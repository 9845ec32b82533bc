"""Baselines: random images, and random images balanced over the predicted classes.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, streamed_logits_cost
from alworkbench.acquisition.score import joined
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, batch_in_order, strategy


@strategy("random", cost=lambda size: Cost(size.candidates, 8 * size.candidates))
def random(context: AcquisitionContext) -> Batch:
    """A uniform sample without replacement. The batch records the probability of each pick."""
    count = len(context.candidates)
    order = torch.randperm(count, generator=context.generator())
    chosen = batch_in_order(context, order, torch.zeros(count))
    left = range(count, count - len(chosen.rows), -1)
    return replace(chosen, probabilities=tuple(1 / each for each in left))


@strategy("balanced-random", cost=streamed_logits_cost)
def balanced_random(context: AcquisitionContext) -> Batch:
    """One random image of every predicted class, then a second one, and so on; classes in random order."""
    found = (logits.argmax(dim=-1) for logits in context.streamed_logits())
    predicted = joined(found, len(context.candidates))
    order = in_turns(predicted, context.size.classes, context.generator())
    return batch_in_order(context, order, torch.zeros(len(predicted)))


def in_turns(
    predicted: Int[Tensor, "N"], classes: int, generator: torch.Generator
) -> Int[Tensor, "N"]:
    """Positions in random order, in which the predicted classes take turns while they have images."""
    predicted = predicted.cpu()
    shuffled = torch.randperm(len(predicted), generator=generator)
    order = torch.randperm(classes, generator=generator)
    turn = torch.empty(len(predicted), dtype=torch.long)
    for position, label in enumerate(order.tolist()):
        own = shuffled[predicted[shuffled] == label]
        # sorting by this key takes one image of each class, then the next of each
        turn[own] = torch.arange(len(own)) * classes + position
    return turn.argsort()
