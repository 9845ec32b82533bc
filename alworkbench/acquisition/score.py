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
from alworkbench.acquisition.strategy_cards import strategy_card


@dataclass(frozen=True, slots=True)
class Score:
    """A value for each candidate. The higher it is, the sooner the image should be labelled."""

    name: str
    cost: Callable[[Size], Cost]
    """Cost of the score of all candidates. Picking among the values costs almost nothing."""
    of: Callable[[AcquisitionContext], Float[Tensor, "N"]]
    """Computes the score of all candidates."""


def highest(score: Score) -> Strategy:
    """The strategy of this name, which picks the highest scores; ties go to the earlier row."""

    def choose(context: AcquisitionContext) -> Batch:
        values = score.of(context)
        return batch_in_order(context, scores.best(values, context.batch_size), values)

    return Strategy(strategy_card(score.name), score.cost, choose)


def joined(parts: list[Tensor]) -> Shaped[Tensor, "N"]:
    """Blocks of values in one tensor, on the CPU."""
    return torch.cat([part.cpu() for part in parts])
