"""The names that a configuration may hold, each with a line about it."""

from __future__ import annotations

from alworkbench.acquisition.strategy_cards import CARDS as STRATEGIES
from alworkbench.adaptation.method_cards import CARDS as METHODS
from alworkbench.datasets.collections import collections

_MARKS = {"dev": "methods are chosen on it", "report": "for final tables only"}


def strategy_choices() -> dict[str, str]:
    """Strategies with their summaries."""
    return {card.name: card.summary for card in STRATEGIES}


def method_choices() -> dict[str, str]:
    """Learning methods with their summaries."""
    return {card.name: card.summary for card in METHODS}


def collection_choices() -> dict[str, str]:
    """Collections with their roles, those for choosing methods first."""
    return {each.name: _MARKS[each.card.role] for each in collections()}
