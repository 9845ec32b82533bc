"""Answers that come too late, and what a project does with them.

Answers are never removed. Of each person the newest answer that was not taken back is that person's opinion
of an image; a late one only where the person gave none in time. Of all opinions, those count that
`answers.counting_opinions` gives; the others are kept and shown as second opinions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REVIEW_SOURCE = "review"
"""The source of an answer that a reviewer gave to settle an image."""


class Late(StrEnum):
    """Why an answer came too late to be one of those that were asked for."""

    ANSWERED = "answered"
    """Other people had given all answers that were wanted of the item."""
    CLOSED = "closed"
    """The round was closed, and no open round asks about the image."""


class LateAnswers(StrEnum):
    """What a project does with late answers."""

    KEEP = "keep"
    """They are kept as second opinions."""
    REFUSE = "refuse"
    """They are not recorded, and the person is told so."""


@dataclass(frozen=True, slots=True)
class LabelMoment:
    """How far the records of answers had come. Since they are only added, it can be read later, too."""

    label: int = 0
    """Id of the newest label; 0 before the first."""
    take_back: int = 0
    """Id of the newest take-back."""
