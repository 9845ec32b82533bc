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
from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.core.errors import UnknownStrategy

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
"""The default, baselines, uncertainty, information, sampling, diversity, targets, modAL's."""

RETIRED: dict[str, str] = {
    "balanced-margin": "margin",
    "balanced-entropy": "entropy",
    "balanced-bald": "bald",
    "balanced-epig": "epig",
    "epig-closed": "epig",
    "epig-shortlist": "epig",
    "modal-uncertainty": "least-confidence",
    "modal-margin": "margin",
    "modal-entropy": "entropy",
    "power-least-confidence": "power-margin",
    "power-entropy": "power-margin",
    "power-epig": "power-bald",
    "softmax-entropy": "power-margin",
    "softmax-bald": "power-bald",
    "softmax-epig": "power-bald",
    "softrank-epig": "power-bald",
    "total-variance": "bald",
}
"""Strategies of earlier versions, and the nearest one of today. Stored rounds keep the old names."""


def find_strategy(name: str) -> Strategy:
    """The strategy with this name; `default` is accepted too.

    Raises UnknownStrategy, which names the nearest strategy, or what replaces a removed one.
    """
    name = resolve(name)
    known = {strategy.name: strategy for strategy in STRATEGIES}
    if name not in known:
        raise UnknownStrategy(name, known, RETIRED.get(name))
    return known[name]


def resolve(name: str) -> str:
    """The name that records keep: `default` becomes the name of the default strategy."""
    return DEFAULT_STRATEGY if name == "default" else name


def score_unit(name: str) -> str:
    """Unit of the scores in a stored round; empty if its strategy is not in the catalogue."""
    return next((strategy.unit for strategy in STRATEGIES if strategy.name == name), "")
