"""Notes and flags of a fake workbench, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from alworkbench.core.domain import FlagChange, Image, Note
from alworkbench.core.errors import ImageNotFound
from alworkbench.project.notes import ImageNotes, tidy_note


class FakeNotes:
    """See `project.notes.Notes`; nothing is hidden from anybody."""

    def __init__(self, workbench: Any) -> None:
        self._workbench = workbench
        self._events: set[str] = set()
        self._found: dict[str, ImageNotes] = {}

    def write(self, images: Sequence[str], person: str, text: str, *, event_id: str) -> int:
        """See `Notes.write`."""
        for image in self._named(images, event_id):
            before, now = self.of(image.hash), datetime.now(UTC)
            note = Note(1, event_id, image.id, person, tidy_note(text), now)
            self._found[image.hash] = ImageNotes((*before.notes, note), before.flags)
        return len(images)

    def flag(self, images: Sequence[str], person: str, *, raised: bool, event_id: str) -> int:
        """See `Notes.flag`."""
        for image in self._named(images, event_id):
            before, now = self.of(image.hash), datetime.now(UTC)
            change = FlagChange(1, event_id, image.id, person, raised, None, now)
            self._found[image.hash] = ImageNotes(before.notes, (*before.flags, change))
        return len(images)

    def of(self, content: str, _person: str | None = None) -> ImageNotes:
        """See `Notes.of`."""
        return self._found.get(content, ImageNotes())

    def of_each(self, images: Sequence[Image], _person: str | None = None) -> list[ImageNotes]:
        """See `Notes.of_each`."""
        return [self.of(image.hash) for image in images]

    def _named(self, images: Sequence[str], event_id: str) -> list[Image]:
        known = {each.hash: each for each in map(self._workbench.images.get, range(1, 60))}
        for content in images:
            if content not in known:
                raise ImageNotFound(content, None)
        if event_id in self._events:
            return []
        self._events.add(event_id)
        self._workbench.writes += 1
        return [known[content] for content in images]
