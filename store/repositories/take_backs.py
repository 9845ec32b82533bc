"""Take-backs of answers. Their rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from alworkbench.core.domain import TakeBack
from alworkbench.core.errors import NotInProject, NotYourAnswer
from store.repositories.common import in_chunks
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
    retract_many(connection, {label_id: event_id}, annotator, now, recorded=recorded)


def retract_many(
    connection: Connection,
    events: Mapping[int, str],
    annotator: str,
    now: datetime,
    *,
    recorded: bool = False,
) -> None:
    """Take labels back, by label id -> event id: all, or none. See `retract` for each."""
    for chunk in in_chunks(events.items()):
        fresh = _fresh(connection, dict(chunk))
        rows = connection.execute(
            select(LabelRow.id, LabelRow.annotator).where(LabelRow.id.in_(fresh))
        )
        owners = dict(rows.all())
        for label_id in fresh:
            if label_id not in owners:
                raise NotInProject("label", label_id)
            if owners[label_id] != annotator and not recorded:
                raise NotYourAnswer(annotator)
        if fresh:
            connection.execute(
                insert(LabelRetractionRow),
                [
                    {
                        "event_id": event_id,
                        "label_id": label_id,
                        "annotator": annotator,
                        "recorded_at": now,
                    }
                    for label_id, event_id in fresh.items()
                ],
            )


def _fresh(connection: Connection, events: Mapping[int, str]) -> dict[int, str]:
    """Those whose label was not taken back yet and whose event id is new."""
    rows = connection.execute(
        select(LabelRetractionRow.label_id, LabelRetractionRow.event_id).where(
            LabelRetractionRow.label_id.in_(events)
            | LabelRetractionRow.event_id.in_(events.values())
        )
    ).all()
    labels, known = {row.label_id for row in rows}, {row.event_id for row in rows}
    return {la: event for la, event in events.items() if la not in labels and event not in known}


def take_backs(connection: Connection, labels: Sequence[int] | None = None) -> list[TakeBack]:
    """Every take-back, oldest first; with `labels`, those of these labels."""
    wanted = select(
        LabelRetractionRow.id,
        LabelRetractionRow.label_id,
        LabelRetractionRow.event_id,
        LabelRetractionRow.annotator,
        LabelRetractionRow.recorded_at,
    ).order_by(LabelRetractionRow.id)
    if labels is not None:
        wanted = wanted.where(LabelRetractionRow.label_id.in_(labels))
    return [TakeBack(*row) for row in connection.execute(wanted)]
