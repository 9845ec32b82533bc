"""What a model knows of a class name, as figures; `posterior.name_novelty` computes them."""

from __future__ import annotations

from dataclasses import dataclass

RARE = 0.1
"""A name is unknown if at most this share of the captions can have so high a leverage."""


@dataclass(frozen=True, slots=True)
class NameKnowledge:
    """What the text posterior says of one class name."""

    name: str
    leverage: float
    """Normalised leverage: 1 is the mean of the captions that the posterior was fitted from."""
    most_captions: int
    """Upper bound on the number of captions that were equal to this prompt, for a prompt of average
    length: m equal captions have a leverage of at most 1 / m. Zero: it was not among them."""

    @property
    def share(self) -> float:
        """Upper bound, in [0, 1], on the share of captions with so high a leverage (Markov)."""
        return min(1.0, 1 / self.leverage) if self.leverage > 0 else 1.0

    @property
    def unknown(self) -> bool:
        """Whether the model hardly knows this name."""
        return self.share <= RARE

    @property
    def words(self) -> str:
        """What it means that the model does not know the name, and what to do."""
        share = f"{100 * self.share:.1f}" if self.share < 0.1 else f"{100 * self.share:.0f}"
        return (
            f"The model hardly knows this name: at most {share} % of its captions are as unusual. Try a more "
            f"usual name or a template that describes the class, or label its first images soon."
        )
