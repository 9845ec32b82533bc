"""The notes and flags of images that a store holds, as a protocol."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import FlagChange, NewFlag, NewNote, Note, NotesMoment


@runtime_checkable
class Notes(Protocol):
    """Notes and changes of flags are only ever added: the newest change of a flag holds."""

    def add(self, notes: Sequence[NewNote], now: datetime) -> None:
        """Record notes. One whose event id is known is recorded already, whatever else it says."""
        ...

    def add_flags(self, changes: Sequence[NewFlag], now: datetime) -> None:
        """Record changes of flags, as `add` does."""
        ...

    def of(self, image_ids: Collection[int] | None = None) -> list[Note]:
        """Every note of these images (None: of all), oldest first."""
        ...

    def flags_of(self, image_ids: Collection[int] | None = None) -> list[FlagChange]:
        """Every change of the flags of these images (None: of all), oldest first."""
        ...

    def moment(self) -> NotesMoment:
        """The moment of now."""
        ...

    def flagged(self, moment: NotesMoment | None = None) -> list[int]:
        """Ids of the images that are flagged, or were at a moment; in order of the ids."""
        ...

    def noted(self, moment: NotesMoment | None = None) -> list[int]:
        """Ids of the images that have a note, or had one at a moment; in order of the ids."""
        ...
