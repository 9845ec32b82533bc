"""Take-backs of answers. Their rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, insert, select

from alworkbench.core.domain import TakeBack
from alworkbench.core.errors import NotInProject, NotYourAnswer
from store.schema import LabelRetractionRow, LabelRow


def retract(
    connection: Connection,
    label_id: int,
    event_id: str,
    annotator: str,
    now: datetime,
    *,
    recorded: bool = False,
) -> None:
    """Take one label back. A repeated event id or a second take-back changes nothing.

    `recorded` take-backs happened before, in another project or version, where people could take back
    the answers of others. Raises NotInProject for an unknown label, and NotYourAnswer for that of another
    person unless `recorded`.
    """
    done = exists().where(
        (LabelRetractionRow.event_id == event_id) | (LabelRetractionRow.label_id == label_id)
    )
    if connection.scalar(select(done)):
        return
    owner = connection.scalar(select(LabelRow.annotator).where(LabelRow.id == label_id))
    if owner is None:
        raise NotInProject("label", label_id)
    if owner != annotator and not recorded:
        raise NotYourAnswer(annotator)
    connection.execute(
        insert(LabelRetractionRow).values(
            event_id=event_id, label_id=label_id, annotator=annotator, recorded_at=now
        )
    )


def take_backs(connection: Connection) -> list[TakeBack]:
    """Every take-back, oldest first."""
    rows = connection.execute(
        select(
            LabelRetractionRow.id,
            LabelRetractionRow.label_id,
            LabelRetractionRow.event_id,
            LabelRetractionRow.annotator,
            LabelRetractionRow.recorded_at,
        ).order_by(LabelRetractionRow.id)
    )
    return [TakeBack(*row) for row in rows]
