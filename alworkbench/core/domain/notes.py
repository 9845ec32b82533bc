"""What people write about an image, and the flag that they put on it. Both are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST_OF_NOTE = 500
"""Characters of a note, and of the reason of a flag."""


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note before it is stored."""

    event_id: str
    """Made by the browser or script: a note that is sent twice is recorded once."""
    image_id: int
    person: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wrote about an image."""

    id: int
    event_id: str
    image_id: int
    person: str
    text: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NewFlag:
    """A flag put on an image or taken off, before it is stored."""

    event_id: str
    """Made by the browser or script: a change that is sent twice is recorded once."""
    image_id: int
    person: str
    raised: bool
    """Whether the flag is put on; else it is taken off."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FlagChange:
    """A flag put on an image or taken off. The newest change says whether the image is flagged."""

    id: int
    event_id: str
    image_id: int
    person: str
    raised: bool
    reason: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NotesMoment:
    """The state of all notes and flags at a moment: ids of the newest ones, 0 for none."""

    note: int = 0
    flag: int = 0
