"""Notes and flags of images: added, never changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from alworkbench.core.domain import FlagChange, NewFlag, NewNote, Note, NotesMoment
from store.note_schema import FlagChangeRow, NoteRow
from store.repositories.common import in_chunks

# In the order of the fields of `Note` and `FlagChange`.
NOTE_COLUMNS = (
    NoteRow.id,
    NoteRow.event_id,
    NoteRow.image_id,
    NoteRow.person,
    NoteRow.text,
    NoteRow.recorded_at,
)
FLAG_COLUMNS = (
    FlagChangeRow.id,
    FlagChangeRow.event_id,
    FlagChangeRow.image_id,
    FlagChangeRow.person,
    FlagChangeRow.raised,
    FlagChangeRow.reason,
    FlagChangeRow.recorded_at,
)


class NoteRepository:
    """See `core.note_repository.Notes`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, notes: Sequence[NewNote], now: datetime) -> None:
        """See `core.note_repository.Notes.add`."""
        self._add(NoteRow, notes, now)

    def add_flags(self, changes: Sequence[NewFlag], now: datetime) -> None:
        """See `core.note_repository.Notes.add_flags`."""
        self._add(FlagChangeRow, changes, now)

    def _add(
        self,
        table: type[NoteRow] | type[FlagChangeRow],
        given: Sequence[NewNote] | Sequence[NewFlag],
        now: datetime,
    ) -> None:
        for chunk in in_chunks({each.event_id: each for each in given}.values()):
            events = [each.event_id for each in chunk]
            known = set(
                self._connection.scalars(select(table.event_id).where(table.event_id.in_(events)))
            )
            fresh = [
                {**asdict(each), "recorded_at": now} for each in chunk if each.event_id not in known
            ]
            if fresh:
                self._connection.execute(insert(table), fresh)

    def of(self, image_ids: Collection[int] | None = None) -> list[Note]:
        """See `core.note_repository.Notes.of`."""
        every = select(*NOTE_COLUMNS).order_by(NoteRow.id)
        if image_ids is None:
            return [Note(*row) for row in self._connection.execute(every)]
        found = [
            Note(*row)
            for chunk in in_chunks(dict.fromkeys(image_ids))
            for row in self._connection.execute(every.where(NoteRow.image_id.in_(chunk)))
        ]
        return sorted(found, key=lambda note: note.id)

    def flags_of(self, image_ids: Collection[int] | None = None) -> list[FlagChange]:
        """See `core.note_repository.Notes.flags_of`."""
        every = select(*FLAG_COLUMNS).order_by(FlagChangeRow.id)
        if image_ids is None:
            return [FlagChange(*row) for row in self._connection.execute(every)]
        found = [
            FlagChange(*row)
            for chunk in in_chunks(dict.fromkeys(image_ids))
            for row in self._connection.execute(every.where(FlagChangeRow.image_id.in_(chunk)))
        ]
        return sorted(found, key=lambda change: change.id)

    def moment(self) -> NotesMoment:
        """See `core.note_repository.Notes.moment`."""
        note = self._connection.scalar(select(func.max(NoteRow.id)))
        flag = self._connection.scalar(select(func.max(FlagChangeRow.id)))
        return NotesMoment(note or 0, flag or 0)

    def flagged(self, moment: NotesMoment | None = None) -> list[int]:
        """See `core.note_repository.Notes.flagged`."""
        until = self.moment() if moment is None else moment
        newest = (
            select(func.max(FlagChangeRow.id))
            .where(FlagChangeRow.id <= until.flag)
            .group_by(FlagChangeRow.image_id)
        )
        rows = self._connection.scalars(
            select(FlagChangeRow.image_id)
            .where(FlagChangeRow.id.in_(newest), FlagChangeRow.raised)
            .order_by(FlagChangeRow.image_id)
        )
        return list(rows)

    def noted(self, moment: NotesMoment | None = None) -> list[int]:
        """See `core.note_repository.Notes.noted`."""
        until = self.moment() if moment is None else moment
        rows = self._connection.scalars(
            select(NoteRow.image_id)
            .where(NoteRow.id <= until.note)
            .distinct()
            .order_by(NoteRow.image_id)
        )
        return list(rows)
