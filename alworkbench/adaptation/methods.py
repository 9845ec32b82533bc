"""All methods of learning from labels, in the order in which they are listed."""

from __future__ import annotations

from alworkbench.adaptation.linear_probe import linear_probe
from alworkbench.adaptation.method import Method
from alworkbench.adaptation.method_cards import (
    FREE_WEIGHTS,
    LINEARISED,
    POOL_TAUGHT,
    ZERO_SHOT,
    method_card,
)
from alworkbench.adaptation.nearest_mean import nearest_mean
from alworkbench.adaptation.tip_adapter import tip_adapter

METHODS = (
    Method(POOL_TAUGHT, residual_head=True, pool_taught=True),
    Method(FREE_WEIGHTS, residual_head=True),
    Method(LINEARISED),
    Method("probe", linear_probe),
    Method("cache", tip_adapter),
    Method("nearest-mean", nearest_mean),
    Method(ZERO_SHOT),
)
"""In the order of `method_cards.CARDS`, which describe them."""


def find_method(name: str) -> Method:
    """The method of this name. Raises UnknownAdaptation, which names all methods."""
    card = method_card(name)
    return next(method for method in METHODS if method.name == card.name)
