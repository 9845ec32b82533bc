"""Rounds and items before they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alworkbench.core.domain.answers import Suggestion


@dataclass(frozen=True, slots=True)
class NewItem:
    """An image of a new round."""

    image_id: int
    score: float | None
    """The strategy's score when the image was picked, in the unit of the strategy."""
    suggestion: Suggestion | None
    probability: float | None = None
    """Probability of this draw among the images left at that time. None: chosen, not drawn at random."""
    wanted: int = 1
    """From how many people an answer is wanted."""
    blind: bool = False
    """Whether it is shown without its suggestion."""


@dataclass(frozen=True, slots=True)
class NewRound:
    """A round before it is stored."""

    strategy: str
    seed: int
    class_list_id: int
    posterior_id: int | None
    learner_id: int | None
    seconds: float
    items: Sequence[NewItem]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, stored: Mapping[str, Any]) -> NewRound:
        """The round of a record in plain values, as `asdict` makes them.

        Raises KeyError, TypeError, ValueError or AttributeError for a record that is none.
        """
        items = [
            NewItem(
                int(item["image_id"]),
                item["score"],
                None if item["suggestion"] is None else Suggestion(**item["suggestion"]),
                item["probability"],
                item.get("wanted", 1),
                item.get("blind", False),
            )
            for item in stored["items"]
        ]
        return cls(**{**stored, "items": items})
