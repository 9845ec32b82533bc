"""Which labels counted at a moment, and which images were answered since: answers are only ever added."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Select, case, exists, func, select

from alworkbench.core.domain import LabelMoment, Role, act_events
from store.repositories.common import in_chunks
from store.schema import ImageRow, LabelRetractionRow, LabelRow


def still_counts(until: LabelMoment | None = None) -> ColumnElement[bool]:
    """The condition that a label was not taken back; with `until`, that it counted at that moment."""
    taken = exists().where(LabelRetractionRow.label_id == LabelRow.id)
    if until is None:
        return ~taken
    return (LabelRow.id <= until.label) & ~taken.where(LabelRetractionRow.id <= until.take_back)


def newest_opinions(until: LabelMoment | None = None) -> Select:
    """Ids of the newest label of each annotator to each image that counts, or counted `until` a moment.

    A late one only where the annotator gave none in time.
    """
    in_time = func.max(case((LabelRow.late.is_(None), LabelRow.id)))
    return (
        select(func.coalesce(in_time, func.max(LabelRow.id)).label("id"))
        .where(still_counts(until))
        .group_by(LabelRow.image_id, LabelRow.annotator)
    )


def moment(connection: Connection, role: Role | None = None) -> LabelMoment:
    """See `core.label_repository.Labels.moment`."""
    label, take_back = select(func.max(LabelRow.id)), select(func.max(LabelRetractionRow.id))
    if role is not None:
        of_role = (ImageRow.id == LabelRow.image_id) & (ImageRow.role == role)
        label = label.join(ImageRow, of_role)
        of_label = LabelRow.id == LabelRetractionRow.label_id
        take_back = take_back.join(LabelRow, of_label).join(ImageRow, of_role)
    newest = connection.execute(select(label.scalar_subquery(), take_back.scalar_subquery())).one()
    return LabelMoment(newest[0] or 0, newest[1] or 0)


def touched(connection: Connection, since: LabelMoment) -> set[int]:
    """Images that got an answer, or of which one was taken back, after that moment."""
    answered = connection.scalars(
        select(LabelRow.image_id).distinct().where(LabelRow.id > since.label)
    )
    taken_back = connection.scalars(
        select(LabelRow.image_id)
        .distinct()
        .join(LabelRetractionRow, LabelRetractionRow.label_id == LabelRow.id)
        .where(LabelRetractionRow.id > since.take_back)
    )
    return {*answered, *taken_back}


def in_act(act_id: str) -> ColumnElement[bool]:
    """The condition that a label belongs to an act."""
    return LabelRow.event_id.startswith(act_events(act_id), autoescape=True)


def unanswered(connection: Connection, images: Iterable[int]) -> set[int]:
    """Of these images, those of the pool without an answer that counts."""
    answered = exists().where(LabelRow.image_id == ImageRow.id, still_counts())
    return {
        id_
        for chunk in in_chunks(images)
        for id_ in connection.scalars(
            select(ImageRow.id).where(ImageRow.id.in_(chunk), ImageRow.role == Role.POOL, ~answered)
        )
    }
