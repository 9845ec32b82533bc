"""Answers and take-backs. Rows of both are only ever added."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, true
from sqlalchemy.orm import InstrumentedAttribute

from alworkbench.core.domain import (
    Answer,
    Label,
    LabelMoment,
    LabelOrigin,
    RecordedAnswer,
    Role,
    RoundState,
    TakeBack,
    counting_opinions,
    deciding_label,
)
from alworkbench.core.errors import NotInProject, UnknownItem
from store.class_schema import ClassRow
from store.origin_schema import LabelOriginRow
from store.repositories.classes import ClassRepository
from store.repositories.common import in_chunks
from store.repositories.label_moments import (
    in_act,
    moment,
    newest_opinions,
    still_counts,
    touched,
    unanswered,
)
from store.repositories.label_rows import LABEL_COLUMNS, values
from store.repositories.origins import origins
from store.repositories.take_backs import retract, retract_many, take_backs
from store.schema import ImageRow, ItemRow, LabelRetractionRow, LabelRow, RoundRow


class LabelRepository:
    """See `core.label_repository.Labels`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, answer: Answer, now: datetime) -> Label:
        """See `core.label_repository.Labels.add`. Leases are not checked: the caller does, in the same block.

        Raises NotInProject for an unknown image or class, and UnknownItem for an unknown item or one of
        another image.
        """
        return self.add_many([answer], now)[0]

    def add_many(self, answers: Sequence[Answer], now: datetime) -> list[Label]:
        """One label for each answer, in their order; all are recorded or none. See `add`."""
        return self._add(answers, {}, now)

    def add_recorded(self, recorded: Sequence[RecordedAnswer]) -> list[Label]:
        """As `add_many`, with the times and the origins of the answers. Known event ids add nothing."""
        known = self.known([each.answer.event_id for each in recorded])
        fresh = {a.answer.event_id: a for a in recorded if a.answer.event_id not in known}
        times = {event_id: each.recorded_at for event_id, each in fresh.items()}
        added = self._add([each.answer for each in fresh.values()], times, None)
        for pairs in in_chunks(zip(added, fresh.values(), strict=True)):
            rows = [{"label_id": label.id, **asdict(each.origin)} for label, each in pairs]
            self._connection.execute(insert(LabelOriginRow), rows)
        return added

    def _add(
        self, answers: Sequence[Answer], times: Mapping[str, datetime], now: datetime | None
    ) -> list[Label]:
        """`times` has the time of each event, or else all have the time `now`."""
        labels: dict[str, Label] = {}
        for chunk in in_chunks(answers):
            labels |= self._by_events(answer.event_id for answer in chunk)
            fresh: dict[str, Answer] = {}
            for a in chunk:
                if a.event_id not in labels:
                    fresh.setdefault(a.event_id, a)  # the first answer of a repeated event counts
            if fresh:
                self._check(fresh.values())
                asked = self._open_items([a.image_id for a in fresh.values()])
                self._connection.execute(
                    insert(LabelRow),
                    [
                        values(a, asked.get(a.image_id, a.item_id), times.get(a.event_id, now))
                        for a in fresh.values()
                    ],
                )
                labels |= self._by_events(fresh)
        return [labels[answer.event_id] for answer in answers]

    def _check(self, answers: Iterable[Answer]) -> None:
        """Refuse what foreign keys would refuse, with a message that helps the user."""
        answers = list(answers)
        images = {a.image_id for a in answers}
        if unknown := images - self._known(ImageRow.id, images):
            raise NotInProject("image", min(unknown))
        classes = {
            id_ for a in answers for id_ in (a.class_id, a.suggested_class_id) if id_ is not None
        }
        if unknown := classes - self._known(ClassRow.id, classes):
            raise NotInProject("class", min(unknown))
        asked = {a.item_id: a.image_id for a in answers if a.item_id is not None}
        rows = self._connection.execute(
            select(ItemRow.id, ItemRow.image_id).where(ItemRow.id.in_(asked))
        )
        of_item = dict(rows.all())
        for a in answers:
            if a.item_id is not None and of_item.get(a.item_id) != a.image_id:
                raise UnknownItem(
                    f"No item {a.item_id} asks about image {a.image_id}; the answer was not "
                    f"recorded. Reload the page to see what is asked now."
                )

    def _open_items(self, images: Iterable[int]) -> dict[int, int]:
        """Image id -> the item of the open round that asks about it."""
        rows = self._connection.execute(
            select(ItemRow.image_id, ItemRow.id)
            .join(RoundRow, RoundRow.id == ItemRow.round_id)
            .where(RoundRow.state == RoundState.OPEN, ItemRow.image_id.in_(set(images)))
        )
        return dict(rows.all())

    def _known(self, column: InstrumentedAttribute, ids: Iterable[Any]) -> set[Any]:
        return {
            id_
            for chunk in in_chunks(ids)
            for id_ in self._connection.scalars(select(column).where(column.in_(chunk)))
        }

    def retract(
        self, label_id: int, event_id: str, annotator: str, now: datetime, *, recorded: bool = False
    ) -> None:
        """See `take_backs.retract`."""
        retract(self._connection, label_id, event_id, annotator, now, recorded=recorded)

    def retract_many(self, events: Mapping[int, str], annotator: str, now: datetime) -> None:
        """See `take_backs.retract_many`."""
        retract_many(self._connection, events, annotator, now)

    def by_event(self, event_id: str) -> Label | None:
        """The label with this event id; None for an unknown one."""
        return self._by_events([event_id]).get(event_id)

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the event ids that labels have."""
        return self._known(LabelRow.event_id, event_ids)

    def _by_events(self, event_ids: Iterable[str]) -> dict[str, Label]:
        wanted = LabelRow.event_id.in_(list(event_ids))
        return {la.event_id: la for la in self._labels(select(*LABEL_COLUMNS).where(wanted))}

    def retracted_by(self, event_id: str) -> Label | None:
        """The label that this take-back took back, or None for an unknown event id."""
        taken = select(LabelRetractionRow.label_id).where(LabelRetractionRow.event_id == event_id)
        return next(iter(self._labels(select(*LABEL_COLUMNS).where(LabelRow.id.in_(taken)))), None)

    def all(self) -> list[Label]:
        """Every label ever recorded, those taken back included, oldest first."""
        return self._labels(select(*LABEL_COLUMNS).order_by(LabelRow.id))

    def take_backs(self, labels: Sequence[int] | None = None) -> list[TakeBack]:
        """See `core.label_repository.Labels.take_backs`."""
        return take_backs(self._connection, labels)

    def origins(self, labels: Sequence[int] | None = None) -> dict[int, LabelOrigin]:
        """See `core.label_repository.Labels.origins`."""
        return origins(self._connection, labels)

    def newest_of(self, annotator: str, round_id: int) -> Label | None:
        """The annotator's newest label in the round that was not taken back."""
        newest = (
            select(func.max(LabelRow.id))
            .join(ItemRow, ItemRow.id == LabelRow.item_id)
            .where(ItemRow.round_id == round_id, LabelRow.annotator == annotator, still_counts())
        )
        found = self._labels(select(*LABEL_COLUMNS).where(LabelRow.id == newest.scalar_subquery()))
        return found[0] if found else None

    def current(self, role: Role) -> dict[int, Label]:
        """Image id -> its label, where only one can be used: `deciding_label` of its answers."""
        given = self.by_annotator(role)
        alone = all(len(each) == 1 for each in given.values())
        counted = None if alone else ClassRepository(self._connection).current().counted
        return {image: deciding_label(each, counted) for image, each in given.items()}

    def by_annotator(self, role: Role) -> dict[int, list[Label]]:
        """Image id -> the answers that count, oldest first: `counting_opinions` of its opinions."""
        return {image: counting_opinions(each) for image, each in self.opinions(role).items()}

    def opinions(self, role: Role) -> dict[int, list[Label]]:
        """Image id -> the newest answer of each annotator that was not taken back, oldest first."""
        return self._opinions(newest_opinions(), ImageRow.role == role)

    def opinions_of(
        self, images: Collection[int], until: LabelMoment | None = None
    ) -> dict[int, list[Label]]:
        """See `core.label_repository.Labels.opinions_of`."""
        found: dict[int, list[Label]] = {}
        for chunk in in_chunks(images):
            of_these = newest_opinions(until).where(LabelRow.image_id.in_(chunk))
            found |= self._opinions(of_these, true())
        return found

    def _opinions(self, ids: Select, condition: ColumnElement[bool]) -> dict[int, list[Label]]:
        newest = ids.subquery()
        counted = (
            select(*LABEL_COLUMNS)
            .join(newest, newest.c.id == LabelRow.id)
            .join(ImageRow, ImageRow.id == LabelRow.image_id)
            .where(condition)
            .order_by(LabelRow.image_id, LabelRow.id)
        )
        found: dict[int, list[Label]] = {}
        for label in self._labels(counted):
            found.setdefault(label.image_id, []).append(label)
        return found

    def moment(self, role: Role | None = None) -> LabelMoment:
        """See `core.label_repository.Labels.moment`."""
        return moment(self._connection, role)

    def touched(self, since: LabelMoment) -> set[int]:
        """See `core.label_repository.Labels.touched`."""
        return touched(self._connection, since)

    def of_act(self, act_id: str) -> list[Label]:
        """See `core.label_repository.Labels.of_act`."""
        return self._labels(select(*LABEL_COLUMNS).where(in_act(act_id)).order_by(LabelRow.id))

    def of_annotator(self, annotator: str) -> dict[int, Label]:
        """Image id -> the answer of this annotator that counts, in pool and audit set."""
        return {label.image_id: label for label in self._of_annotator(annotator)}

    def opinion(self, annotator: str, image_id: int) -> Label | None:
        """The answer of this annotator to the image that counts, or None."""
        return next(iter(self._of_annotator(annotator, LabelRow.image_id == image_id)), None)

    def _of_annotator(self, annotator: str, *more: ColumnElement[bool]) -> list[Label]:
        newest = newest_opinions().where(LabelRow.annotator == annotator, *more)
        return self._labels(select(*LABEL_COLUMNS).where(LabelRow.id.in_(newest)))

    def unanswered(self, images: Iterable[int]) -> set[int]:
        """Of these images, those of the pool without an answer that counts."""
        return unanswered(self._connection, images)

    def history(self, image_id: int) -> list[Label]:
        """Every label ever given to the image, those taken back included, oldest first."""
        return self._labels(
            select(*LABEL_COLUMNS).where(LabelRow.image_id == image_id).order_by(LabelRow.id)
        )

    def recent(self, annotator: str, limit: int) -> list[Label]:
        """The newest labels that this annotator gave at the labelling page, newest first."""
        return self._labels(
            select(*LABEL_COLUMNS)
            .where(LabelRow.annotator == annotator, LabelRow.duration_ms.is_not(None))
            .order_by(LabelRow.id.desc())
            .limit(limit)
        )

    def count(self) -> int:
        """How many labels were ever recorded, those taken back included."""
        return self._connection.scalar(select(func.count()).select_from(LabelRow)) or 0

    def _labels(self, statement: Select) -> list[Label]:
        return [Label(*row) for row in self._connection.execute(statement)]
