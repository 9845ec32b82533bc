"""Scores of single images, and the simplest strategy with one: take the best.

A `Score` is what wrappers start from: sampling in proportion to it, or turns of the predicted classes.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.strategy import (
    AcquisitionContext,
    Batch,
    Strategy,
    batch_in_order,
)


@dataclass(frozen=True, slots=True)
class Score:
    """A value for each candidate: the higher, the sooner it should be asked."""

    name: str
    unit: str
    """nats, probability, or none."""
    range: str
    source: str
    cost: Callable[[Size], Cost]
    """Of computing it for every candidate; choosing among the values is next to nothing."""
    of: Callable[[AcquisitionContext], Float[Tensor, "N"]]


def top(score: Score, summary: str) -> Strategy:
    """Register the strategy that takes the images of highest score; ties go to the earlier row."""

    def choose(context: AcquisitionContext) -> Batch:
        values = score.of(context)
        return batch_in_order(context, scores.best(values, context.batch_size), values)

    return Strategy(score.name, summary, score.unit, score.cost, choose, score.source, score.range)


def predicted_classes(context: AcquisitionContext) -> Int[Tensor, "N"]:
    """The likeliest class of every candidate, on the CPU."""
    return joined([logits.argmax(dim=-1) for logits in context.streamed_logits()])


def joined(parts: list[Tensor]) -> Shaped[Tensor, "N"]:
    """Blocks of values as one, on the CPU."""
    return torch.cat([part.cpu() for part in parts])
