"""All strategies by name."""

from __future__ import annotations

# Strategies register when their modules are imported; the order is the one that people see.
from alworkbench.acquisition import (  # noqa: F401
    badge,
    balanced,
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
from alworkbench.acquisition.epig import closed_strategy, sampled  # noqa: F401
from alworkbench.acquisition.epig import strategies as epig_strategies  # noqa: F401
from alworkbench.acquisition.strategy import Strategy, registered
from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.core.errors import UnknownStrategy


def strategies() -> list[Strategy]:
    """All strategies, in the order in which they are listed to people."""
    return list(registered().values())


def find_strategy(name: str) -> Strategy:
    """The strategy of this name, or UnknownStrategy with the nearest one."""
    known = registered()
    name = resolve(name)
    if name not in known:
        raise UnknownStrategy(name, known)
    return known[name]


def resolve(name: str) -> str:
    """The name that records keep: `default` is the one that a user gets without choosing."""
    return DEFAULT_STRATEGY if name == "default" else name
