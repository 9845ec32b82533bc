"""All ways of learning by name."""

from __future__ import annotations

# Ways of learning register when their modules are imported.
from alworkbench.adaptation import (  # noqa: F401
    linear_probe,
    nearest_mean,
    projections,
    tuning,
)
from alworkbench.adaptation.method import Adaptation, registered
from alworkbench.core.errors import UnknownAdaptation


def adaptations() -> list[Adaptation]:
    """All ways of learning, the default first."""
    return sorted(registered().values(), key=lambda way: not way.is_default)


def find_adaptation(name: str) -> Adaptation:
    """The way of learning of this name, or UnknownAdaptation with the nearest one."""
    known = registered()
    if name not in known:
        raise UnknownAdaptation(name, known)
    return known[name]
