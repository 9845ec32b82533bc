"""What lists say of each learning method, without the code that learns: names and summaries.

Nothing here imports torch, so that commands which only name a method start fast.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.core.errors import UnknownAdaptation

POOL_TAUGHT, FREE_WEIGHTS, LINEARISED = "pool-taught", "free-weights", "linearised"
ZERO_SHOT = "zero-shot"
"""Names under which methods are chosen and stored."""


@dataclass(frozen=True, slots=True)
class MethodCard:
    """A learning method as lists show it."""

    name: str
    summary: str
    """One line."""

    @property
    def is_default(self) -> bool:
        """Whether a project uses this method if none is named."""
        return self.name == DEFAULT_ADAPTATION


CARDS = (
    MethodCard(
        POOL_TAUGHT,
        "free-weights, with a Gaussian of each class over the unlabelled pool; each part is weighted by how "
        "well it predicts",
    ),
    MethodCard(
        FREE_WEIGHTS,
        "the linearised model with a residual linear head: learns what class names do not say",
    ),
    MethodCard(LINEARISED, "the linearised model under its posterior, without a residual head"),
    MethodCard("probe", "logistic regression on the activations: uses nothing but the labels"),
    MethodCard("cache", "zero-shot logits plus the labels of similar images (Tip-Adapter)"),
    MethodCard(
        "nearest-mean", "cosine to the mean embedding of a class: its name and its labelled images"
    ),
    MethodCard(ZERO_SHOT, "learns nothing: the model without labels, as a control"),
)
"""The default, its form without a residual head, the comparisons, the control."""


def method_card(name: str) -> MethodCard:
    """The card of this method. Raises UnknownAdaptation, which names all methods."""
    known = {card.name: card for card in CARDS}
    if name not in known:
        raise UnknownAdaptation(name, known)
    return known[name]
