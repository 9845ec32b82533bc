"""Cases for a reviewer: images whose answers disagree, or whose label is probably wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SMALLEST_PROBABILITY = 1e-6
"""Smaller ones are taken for this one where something is divided by a probability."""


class ReviewReason(StrEnum):
    """Why an image needs a second look."""

    DISAGREEMENT = "disagreement"
    """People gave it different classes."""
    LABEL_ERROR = "label_error"
    """A learner that was not told its label thinks that the label is wrong."""
    SECOND_OPINION = "second_opinion"
    """A reviewer looked, and asks another reviewer to decide."""


class ReviewState(StrEnum):
    """What became of a case."""

    OPEN = "open"
    RESOLVED = "resolved"
    """A reviewer gave the answer that counts now."""
    DISMISSED = "dismissed"
    """A reviewer looked, and the answers stay as they are."""
    PASSED_ON = "passed_on"
    """A reviewer looked and asked another one; a case for this second opinion was opened."""


@dataclass(frozen=True, slots=True)
class NewReview:
    """A case before it is stored."""

    image_id: int
    reason: ReviewReason
    newest_label_id: int
    """The newest label of the image when the case was opened."""
    probability: float | None = None
    """Of the given label, by a learner that was not told it. None for a disagreement."""
    predicted_class_id: int | None = None
    """The most likely class for that learner."""
    predicted_probability: float | None = None
    asked_by: str | None = None
    """Who asks for a second opinion; None for any other case."""


@dataclass(frozen=True, slots=True)
class Review:
    """A case. It is closed once and then stays as it is; a new doubt opens a new case."""

    id: int
    image_id: int
    reason: ReviewReason
    newest_label_id: int
    """The newest label of the image when the case was opened; of a closed case, when it was closed."""
    probability: float | None
    opened_at: datetime
    state: ReviewState
    closed_at: datetime | None
    closed_by: str | None
    """Who resolved it, dismissed it or passed it on."""
    label_id: int | None
    """The answer of the reviewer that resolved it."""
    note: str | None
    predicted_class_id: int | None = None
    """The most likely class for the learner that `probability` is of; None where it was not asked."""
    predicted_probability: float | None = None
    asked_by: str | None = None
    """Who asks for this second opinion, and so does not give it; None for any other case."""
    opinion_class_id: int | None = None
    """What the reviewer saw who passed the case on. It is no answer and counts nowhere."""
    event_id: str | None = None
    """Of the act that closed it, where its sender named one. The same event closes one case, once."""

    @property
    def odds(self) -> float | None:
        """How many times as likely as the given label that learner finds its own class; None if not asked."""
        if self.probability is None or self.predicted_probability is None:
            return None
        return self.predicted_probability / max(self.probability, SMALLEST_PROBABILITY)
