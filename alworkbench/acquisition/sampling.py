"""Sampling a batch without replacement, with probabilities proportional to a score.

The images with the highest scores are often near-copies of each other. Sampling spreads the batch, and
the probability of every pick is known, so that an estimate from the labels can be corrected for the
selection (LURE: Farquhar et al. 2021, arXiv:2101.11665). At each turn, image i of the n candidates that
are left is picked with probability

    (1 - eps) s_i / sum_j s_j + eps / n          s_i >= 0: the score of image i

Kirsch et al. 2021, arXiv:2106.12059 ("power" acquisition with exponent 1; PowerBALD if s is BALD). The
uniform share eps (`AcquisitionSettings.uniform_share`) is added here: without it an image with score 0
would never be picked, and LURE could not correct the estimate. O(N B) operations, 24 N bytes.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.score import Score, all_scores
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, Strategy
from alworkbench.acquisition.strategy_cards import strategy_card
from alworkbench.acquisition.uncertainty import BALD, MARGIN


@dataclass(frozen=True, slots=True)
class Sampled:
    """One pick."""

    position: int
    """Position among the candidates."""
    probability: float
    """Probability of this pick at its turn, given the picks before it."""


def sample(
    weights: Float[Tensor, "N"], count: int, uniform_share: float, generator: torch.Generator
) -> list[Sampled]:
    """Sample up to `count` positions without replacement, in the order in which they were picked."""
    left = torch.ones(len(weights), dtype=torch.float64)
    picks: list[Sampled] = []
    for _ in range(min(count, len(weights))):
        probabilities = pick_probabilities(weights, left, uniform_share)
        position = sample_one(probabilities, generator)
        picks.append(Sampled(position, float(probabilities[position])))
        left[position] = 0.0
    return picks


def pick_probabilities(
    weights: Float[Tensor, "N"], left: Float[Tensor, "N"], uniform_share: float
) -> Float[Tensor, "N"]:
    """Probability of each candidate at one turn. It sums to 1 and is 0 where `left` is 0.

    `left` is 1 for candidates that were not picked and 0 for the others. If no candidate that is left has
    a positive weight, all of them get the same probability.
    """
    uniform = left / left.sum()
    own = weights * left
    total = own.sum()
    proportional = own / total if total > 0 else uniform
    return uniform_share * uniform + (1 - uniform_share) * proportional


def sample_one(probabilities: Float[Tensor, "N"], generator: torch.Generator) -> int:
    """Sample one position by inverting the cumulative distribution function."""
    cumulative = probabilities.cumsum(dim=0)
    point = torch.rand(1, generator=generator, dtype=torch.float64) * cumulative[-1]
    position = int(torch.searchsorted(cumulative, point, right=True))
    if position >= len(probabilities) or float(probabilities[position]) == 0:
        position = int(probabilities.nonzero()[-1])  # the last sum was rounded
    return position


def sampler(score: Score) -> Callable[[AcquisitionContext], Batch]:
    """A choosing function that samples in proportion to a score. Negative scores count as 0."""

    def choose(context: AcquisitionContext) -> Batch:
        values = all_scores(context, score)
        weights = values.double().clamp_min(0.0)
        share = context.settings.uniform_share
        picks = sample(weights, context.batch_size, share, context.generator())
        positions = torch.tensor([pick.position for pick in picks], dtype=torch.long)
        return Batch(
            tuple(context.candidates.cpu()[positions].tolist()),
            tuple(values[positions].tolist()),
            tuple(pick.probability for pick in picks),
        )

    return choose


def power_strategy(score: Score) -> Strategy:
    """The strategy `power-SCORE`."""

    def cost(size: Size) -> Cost:
        scoring = score.cost(size)
        return Cost(scoring.operations + 4 * size.candidates * size.batch, scoring.memory)

    return Strategy(strategy_card(f"power-{score.name}"), cost, sampler(score), score.streams)


power_margin = power_strategy(MARGIN)
power_bald = power_strategy(BALD)
