"""Items of rounds with their answers, and how far a round is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from alworkbench.core.domain import (
    Item,
    Label,
    Lease,
    RoundCount,
    RoundState,
    Suggestion,
    counting_opinions,
    deciding_label,
)
from store.repositories.classes import ClassRepository
from store.repositories.label_moments import still_counts
from store.repositories.label_rows import LABEL_COLUMNS
from store.schema import ItemRow, LabelRow, RoundRow
from store.team_schema import LeaseRow

ITEM_COLUMNS = (
    ItemRow.id,
    ItemRow.round_id,
    ItemRow.image_id,
    ItemRow.position,
    ItemRow.score,
    ItemRow.suggested_class_id,
    ItemRow.suggested_probability,
    ItemRow.probability,
    ItemRow.wanted,
    ItemRow.blind,
)


def in_open_round() -> ColumnElement[bool]:
    """The condition that an item belongs to the open round."""
    return exists().where(RoundRow.id == ItemRow.round_id, RoundRow.state == RoundState.OPEN)


def asked_answer() -> ColumnElement[bool]:
    """The condition that a label is one of the answers that an item asked for."""
    return (LabelRow.item_id == ItemRow.id) & LabelRow.late.is_(None) & still_counts()


def people_who_answered() -> ColumnElement[int]:
    """How many people gave an item one of the answers that it asked for."""
    counted = select(func.count(LabelRow.annotator.distinct())).where(asked_answer())
    return counted.correlate(ItemRow).scalar_subquery()


def answered_by(annotator: str) -> ColumnElement[bool]:
    """The condition that this person has an answer to an item."""
    return exists().where(
        LabelRow.item_id == ItemRow.id, LabelRow.annotator == annotator, still_counts()
    )


def read_items(connection: Connection, *conditions: ColumnElement[bool]) -> list[Item]:
    """Every item that meets the conditions, by round and position, with its answers and leases."""
    rows = connection.execute(
        select(*ITEM_COLUMNS).where(*conditions).order_by(ItemRow.round_id, ItemRow.position)
    ).all()
    if not rows:
        return []
    opinions: dict[int | None, dict[str, Label]] = defaultdict(dict)
    for row in connection.execute(
        select(*LABEL_COLUMNS)
        .join(ItemRow, ItemRow.id == LabelRow.item_id)
        .where(*conditions, still_counts())
        .order_by(LabelRow.id)
    ):
        label = Label(*row)
        of_item = opinions[label.item_id]
        before = of_item.get(label.annotator)
        if label.late is None or before is None or before.late is not None:
            of_item.pop(label.annotator, None)  # the newest of each person, in order
            of_item[label.annotator] = label
    leases: dict[int, list[Lease]] = defaultdict(list)
    for item_id, annotator, token, until, since in connection.execute(
        select(LeaseRow.item_id, LeaseRow.annotator, LeaseRow.token, LeaseRow.until, LeaseRow.since)
        .join(ItemRow, ItemRow.id == LeaseRow.item_id)
        .where(*conditions)
        .order_by(LeaseRow.item_id, LeaseRow.annotator)
    ):
        leases[item_id].append(Lease(annotator, token, until, since))
    several = any(len(each) > 1 for each in opinions.values())
    counted = ClassRepository(connection).current().counted if several else None
    return [
        _item(tuple(row), list(opinions[row.id].values()), tuple(leases[row.id]), counted)
        for row in rows
    ]


def read_progress(connection: Connection, round_id: int) -> RoundCount:
    """How far a round is; see `RoundCount`."""
    given = people_who_answered()
    answers, wanted, complete, items = connection.execute(
        select(
            func.coalesce(func.sum(case((given < ItemRow.wanted, given), else_=ItemRow.wanted)), 0),
            func.coalesce(func.sum(ItemRow.wanted), 0),
            func.coalesce(func.sum(case((given >= ItemRow.wanted, 1), else_=0)), 0),
            func.count(),
        ).where(ItemRow.round_id == round_id)
    ).one()
    return RoundCount(int(answers), int(wanted), int(complete), int(items))


def count_left_for(connection: Connection, round_id: int, annotator: str) -> int:
    """See `core.round_repositories.Rounds.left_for`."""
    left = select(func.count()).where(
        ItemRow.round_id == round_id,
        ~answered_by(annotator),
        people_who_answered() < ItemRow.wanted,
    )
    return int(connection.scalar(left) or 0)


def _item(
    values: tuple[Any, ...],
    opinions: list[Label],
    leases: tuple[Lease, ...],
    counted: Mapping[int, int] | None,
) -> Item:
    id_, round_id, image_id, position, score, class_id, sure, drawn, wanted, blind = values
    return Item(
        id=id_,
        round_id=round_id,
        image_id=image_id,
        position=position,
        score=score,
        suggestion=None if class_id is None else Suggestion(class_id, sure),
        label=deciding_label(counting_opinions(opinions), counted) if opinions else None,
        probability=drawn,
        wanted=wanted,
        blind=blind,
        answered_by=tuple(each.annotator for each in opinions if each.late is None),
        leases=leases,
        late_by=tuple(each.annotator for each in opinions if each.late is not None),
    )
