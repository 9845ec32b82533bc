"""A score for every candidate, and the strategy that picks the highest scores.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, Strategy, batch_in_order


@dataclass(frozen=True, slots=True)
class Score:
    """A value for each candidate. The higher it is, the sooner the image should be labelled."""

    name: str
    unit: str
    """nats, probability, or none."""
    range: str
    """Range of the values, in their unit."""
    source: str
    """Authors, year, arXiv number."""
    cost: Callable[[Size], Cost]
    """Cost of the score of all candidates. Picking among the values costs almost nothing."""
    of: Callable[[AcquisitionContext], Float[Tensor, "N"]]
    """Computes the score of all candidates."""


def highest(score: Score, summary: str) -> Strategy:
    """The strategy that picks the highest scores; ties go to the earlier row."""

    def choose(context: AcquisitionContext) -> Batch:
        values = score.of(context)
        return batch_in_order(context, scores.best(values, context.batch_size), values)

    return Strategy(score.name, summary, score.unit, score.cost, choose, score.source, score.range)


def joined(parts: list[Tensor]) -> Shaped[Tensor, "N"]:
    """Blocks of values in one tensor, on the CPU."""
    return torch.cat([part.cpu() for part in parts])
