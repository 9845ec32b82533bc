"""All strategies, in the order in which they are listed."""

from __future__ import annotations

from alworkbench.acquisition import (
    badge,
    baselines,
    batchbald,
    coreset,
    coverage,
    modal_strategies,
    probcover,
    sampling,
    targeted,
    typiclust,
    uncertainty,
)
from alworkbench.acquisition.epig import sampled
from alworkbench.acquisition.epig import strategies as epig
from alworkbench.acquisition.strategy import Strategy
from alworkbench.acquisition.strategy_cards import strategy_card

STRATEGIES: tuple[Strategy, ...] = (
    coverage.coverage,
    baselines.random,
    baselines.balanced_random,
    uncertainty.margin,
    uncertainty.entropy,
    uncertainty.least_confidence,
    uncertainty.predictive_entropy,
    uncertainty.bald,
    batchbald.batchbald,
    epig.epig,
    sampled.epig_draws,
    sampling.power_margin,
    sampling.power_bald,
    badge.badge,
    coreset.coreset,
    typiclust.typiclust,
    probcover.probcover,
    targeted.targeted,
    modal_strategies.ranked_batch,
    modal_strategies.vote_entropy,
    modal_strategies.consensus_entropy,
    modal_strategies.max_disagreement,
)
"""In the order of `strategy_cards.CARDS`."""


def find_strategy(name: str) -> Strategy:
    """The strategy with this name; `default` is accepted too. Raises UnknownStrategy."""
    card = strategy_card(name)
    return next(strategy for strategy in STRATEGIES if strategy.name == card.name)
