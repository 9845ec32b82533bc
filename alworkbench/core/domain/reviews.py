"""Cases for a reviewer: images whose answers disagree, or whose label is probably wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReviewReason(StrEnum):
    """Why an image needs a second look."""

    DISAGREEMENT = "disagreement"
    """People gave it different classes."""
    LABEL_ERROR = "label_error"
    """A learner that was not told its label thinks that the label is wrong."""


class ReviewState(StrEnum):
    """What became of a case."""

    OPEN = "open"
    RESOLVED = "resolved"
    """A reviewer gave the answer that counts now."""
    DISMISSED = "dismissed"
    """A reviewer looked, and the answers stay as they are."""


@dataclass(frozen=True, slots=True)
class NewReview:
    """A case before it is stored."""

    image_id: int
    reason: ReviewReason
    newest_label_id: int
    """The newest label of the image when the case was opened."""
    probability: float | None = None
    """Of the given label, by a learner that was not told it. None for a disagreement."""


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
    """Who resolved or dismissed it."""
    label_id: int | None
    """The answer of the reviewer that resolved it."""
    note: str | None
