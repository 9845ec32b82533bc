"""Notes and flags of images: written by people, for people. The model never reads them.

A note or a flag of somebody else could pull an answer as much as the answers of others do. So whoever must
not see the answers of others before the own answer (see `blindness`) sees only the own notes and flags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from alworkbench.core.domain import (
    MOST_OF_NOTE,
    FlagChange,
    Image,
    NewFlag,
    NewNote,
    Note,
    NotesMoment,
    act_events,
)
from alworkbench.core.errors import ImageNotFound, InvalidNote, SelectionTooLarge
from alworkbench.core.names import fault_of_name
from alworkbench.core.ports import Reader
from alworkbench.project.blindness import others_hidden
from alworkbench.project.session import Session

MOST_IN_ACT = 1000
"""Images that one note or one flag is for."""


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """The notes and flags of one image, as far as a person may see them."""

    notes: tuple[Note, ...] = ()
    """The oldest first."""
    flags: tuple[FlagChange, ...] = ()
    """Every time that the flag was put on or taken off, the oldest first."""

    @property
    def flagged(self) -> bool:
        """Whether the flag is on: the newest change holds."""
        return bool(self.flags) and self.flags[-1].raised


@dataclass(frozen=True, slots=True)
class NotedImage:
    """An image with its notes and flags, for lists of them."""

    image: str
    """Its newest place, as it is stored."""
    hash: str
    flagged: bool
    notes: tuple[Note, ...]
    flags: tuple[FlagChange, ...]


class Notes:
    """Writes notes, puts flags on images, and reads both. Images are named by their content hashes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(
        self, images: Sequence[str], person: str, text: str, *, event_id: str | None = None
    ) -> int:
        """Add a note of a person to each of these images, durable when this returns; returns their number.

        The same event id is recorded once. Raises InvalidNote, ImageNotFound and SelectionTooLarge; nothing
        is recorded then.
        """
        tidy = tidy_note(text)
        if not tidy:
            raise InvalidNote("a note", "is empty", MOST_OF_NOTE)
        begin = act_events(event_id or uuid4().hex)
        with self._session.store.write() as writer:
            ids = _ids(writer, images)
            notes = [NewNote(f"{begin}{image}", image, person, tidy) for image in ids]
            writer.notes.add(notes, self._session.now())
        return len(ids)

    def flag(
        self,
        images: Sequence[str],
        person: str,
        *,
        raised: bool = True,
        reason: str | None = None,
        event_id: str | None = None,
    ) -> int:
        """Put the flag on each of these images, or take it off; returns their number. As `write`."""
        why = tidy_note(reason or "", "the reason of a flag") or None
        begin = act_events(event_id or uuid4().hex)
        with self._session.store.write() as writer:
            ids = _ids(writer, images)
            changes = [NewFlag(f"{begin}{image}", image, person, raised, why) for image in ids]
            writer.notes.add_flags(changes, self._session.now())
        return len(ids)

    def of(self, content: str, person: str | None = None) -> ImageNotes:
        """Notes and flags of the image with this content hash, as far as a person (None: a script) sees them.

        Raises ImageNotFound.
        """
        with self._session.store.read() as reader:
            image = reader.images.by_hash(content)
            if image is None:
                raise ImageNotFound(content, None)
            return notes_of(reader, [image], person).get(image.id, ImageNotes())

    def of_each(self, images: Sequence[Image], person: str | None = None) -> list[ImageNotes]:
        """The same of several images, in their order."""
        with self._session.store.read() as reader:
            found = notes_of(reader, images, person)
        return [found.get(image.id, ImageNotes()) for image in images]

    def listed(self, *, flagged: bool = False) -> list[NotedImage]:
        """Every image that has a note or was ever flagged, or only those that are flagged; by import."""
        with self._session.store.read() as reader:
            chosen = set(reader.notes.flagged())
            if not flagged:
                chosen |= {note.image_id for note in reader.notes.of()}
                chosen |= {change.image_id for change in reader.notes.flags_of()}
            images = reader.images.some(sorted(chosen))
            found = notes_of(reader, images, None)
        return [
            NotedImage(
                image.paths[-1] if image.paths else image.hash,
                image.hash,
                found[image.id].flagged,
                found[image.id].notes,
                found[image.id].flags,
            )
            for image in images
        ]


def notes_of(reader: Reader, images: Sequence[Image], person: str | None) -> dict[int, ImageNotes]:
    """Image id -> its notes and flags, of the images that have any that the person may see."""
    ids = [image.id for image in images]
    notes: dict[int, list[Note]] = {}
    flags: dict[int, list[FlagChange]] = {}
    for note in reader.notes.of(ids):
        notes.setdefault(note.image_id, []).append(note)
    for change in reader.notes.flags_of(ids):
        flags.setdefault(change.image_id, []).append(change)
    hidden = others_hidden(reader, person) if notes or flags else set()
    found = {}
    for image in images:
        if image.id not in notes and image.id not in flags:
            continue
        own = image.id in hidden
        both = ImageNotes(
            tuple(n for n in notes.get(image.id, ()) if not own or n.person == person),
            tuple(c for c in flags.get(image.id, ()) if not own or c.person == person),
        )
        if both.notes or both.flags:
            found[image.id] = both
    return found


def flagged_for(reader: Reader, person: str | None, moment: NotesMoment) -> set[int]:
    """Ids of the images that are flagged at a moment, as far as a person (None: a script) sees it now."""
    found = set(reader.notes.flagged(moment))
    if own := others_hidden(reader, person):
        changes = [c for c in reader.notes.flags_of(own) if c.id <= moment.flag]
        newest = {c.image_id: c.raised for c in changes if c.person == person}
        found = found - own | {image for image, raised in newest.items() if raised}
    return found


def noted_for(reader: Reader, person: str | None, moment: NotesMoment) -> set[int]:
    """Ids of the images that have a note at a moment, as far as a person (None: a script) sees it now."""
    found = set(reader.notes.noted(moment))
    if own := others_hidden(reader, person):
        notes = [n for n in reader.notes.of(own) if n.id <= moment.note]
        found = found - own | {n.image_id for n in notes if n.person == person}
    return found


def tidy_note(text: str, what: str = "a note") -> str:
    """The text without blanks at its ends. Raises InvalidNote for one that cannot be stored."""
    tidy = text.strip()
    if (fault := fault_of_name(tidy)) is not None:
        raise InvalidNote(what, fault, MOST_OF_NOTE)
    if len(tidy) > MOST_OF_NOTE:
        raise InvalidNote(what, f"has {len(tidy):,} characters", MOST_OF_NOTE)
    return tidy


def _ids(reader: Reader, contents: Sequence[str]) -> list[int]:
    """The ids of these images, each once. Raises ImageNotFound, SelectionTooLarge."""
    distinct = list(dict.fromkeys(contents))
    if len(distinct) > MOST_IN_ACT:
        raise SelectionTooLarge(len(distinct), MOST_IN_ACT, "marks")
    known = {file.hash: file.image_id for file in reader.images.files(distinct)}
    for content in distinct:
        if content not in known:
            raise ImageNotFound(content, None)
    return [known[content] for content in distinct]
