"""Leases: the right of one person to answer an item until a time.

Who asks, when, and until when comes from the caller: the only clock is that of the server. The item is
read and leased in one transaction that holds the write lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from alworkbench.core.domain import Item
from store.columns import microseconds
from store.repositories.common import in_chunks
from store.repositories.items import answered_by, in_open_round, people_who_answered, read_items
from store.repositories.label_moments import still_counts
from store.schema import ItemRow, LabelRow
from store.team_schema import LeaseRow


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for items, from which tab, and how long the lease lasts."""

    annotator: str
    tab: str | None
    now: datetime
    until: datetime
    left_before: datetime | None
    """What another tab of the annotator last claimed before this is taken over."""

    def here(self) -> ColumnElement[bool]:
        """The condition that a lease belongs to this tab."""
        tab = LeaseRow.tab.is_(None) if self.tab is None else LeaseRow.tab == self.tab
        return and_(LeaseRow.annotator == self.annotator, func.coalesce(tab, false()))


def claim_items(connection: Connection, round_id: int, limit: int, who: Claim) -> list[Item]:
    """See `core.round_repositories.Rounds.claim`.

    Items that the tab already holds come first, so that no tab ever holds more than `limit`.
    A lease with more than twice its duration left has ended: the clock was set back.
    """
    if who.until <= who.now:
        raise ValueError(f"a lease must end after it begins, found {who.now} to {who.until}")
    own = exists().where(LeaseRow.item_id == ItemRow.id, who.here())
    chosen = connection.scalars(
        select(ItemRow.id)
        .where(
            ItemRow.round_id == round_id,
            in_open_round(),
            ~answered_by(who.annotator),
            ~_held_in_another_tab(who),
            people_who_answered() + _held_by_others(who.annotator, who.now) < ItemRow.wanted,
        )
        .order_by(case((own, 0), else_=1), ItemRow.position)
        .limit(max(0, limit))
    ).all()
    _lease(connection, list(chosen), who)
    return [
        replace(item, lease=next(e for e in item.leases if e.annotator == who.annotator))
        for ids in in_chunks(sorted(chosen))
        for item in read_items(connection, ItemRow.id.in_(ids))
    ]


def _held_in_another_tab(who: Claim) -> ColumnElement[bool]:
    left = (
        false()
        if who.left_before is None
        else _number(LeaseRow.since) <= microseconds(who.left_before)
    )
    return exists().where(
        LeaseRow.item_id == ItemRow.id,
        LeaseRow.annotator == who.annotator,
        ~who.here(),
        ~_over(who.now),
        ~left,
    )


def _held_by_others(annotator: str, now: datetime) -> ColumnElement[int]:
    """How many other people hold an item that they have not answered."""
    answered_by_holder = exists().where(
        LabelRow.item_id == LeaseRow.item_id,
        LabelRow.annotator == LeaseRow.annotator,
        still_counts(),
    )
    held = (
        select(func.count())
        .select_from(LeaseRow)
        .where(
            LeaseRow.item_id == ItemRow.id,
            LeaseRow.annotator != annotator,
            ~_over(now),
            ~answered_by_holder,
        )
    )
    return held.correlate(ItemRow).scalar_subquery()


def _lease(connection: Connection, items: list[int], who: Claim) -> None:
    """Lease these items. A lease of this tab keeps its token and its later end.

    Where the clock was set back, the end is a new one, or else the lease would grow with each time.
    """
    later = literal(who.until, LeaseRow.until.type)
    in_order = _number(LeaseRow.since) <= microseconds(who.now)
    for ids in in_chunks(items):
        known = set(
            connection.scalars(
                update(LeaseRow)
                .where(who.here(), LeaseRow.item_id.in_(ids))
                .values(
                    since=who.now,
                    until=case(
                        (and_(in_order, ~_over(who.now), LeaseRow.until > later), LeaseRow.until),
                        else_=later,
                    ),
                )
                .returning(LeaseRow.item_id)
            )
        )
        fresh = [item_id for item_id in ids if item_id not in known]
        if fresh:
            connection.execute(
                delete(LeaseRow).where(
                    LeaseRow.annotator == who.annotator, LeaseRow.item_id.in_(fresh)
                )
            )
            connection.execute(
                insert(LeaseRow),
                [
                    {
                        "item_id": item_id,
                        "annotator": who.annotator,
                        "tab": who.tab,
                        "token": secrets.token_urlsafe(24),
                        "since": who.now,
                        "until": who.until,
                    }
                    for item_id in fresh
                ],
            )


def release_items(
    connection: Connection, annotator: str, tab: str | None, item_ids: Sequence[int]
) -> None:
    """See `core.round_repositories.Rounds.release`."""
    here = LeaseRow.tab.is_(None) if tab is None else LeaseRow.tab == tab
    for ids in in_chunks(item_ids):
        connection.execute(
            delete(LeaseRow).where(LeaseRow.item_id.in_(ids), LeaseRow.annotator == annotator, here)
        )


def end_leases(connection: Connection, tokens: Sequence[str]) -> None:
    """See `core.round_repositories.Rounds.end_leases`."""
    for some in in_chunks(tokens):
        connection.execute(delete(LeaseRow).where(LeaseRow.token.in_(some)))


def end_leases_of_round(connection: Connection, round_id: int) -> None:
    """Remove the leases of a round."""
    items = select(ItemRow.id).where(ItemRow.round_id == round_id)
    connection.execute(delete(LeaseRow).where(LeaseRow.item_id.in_(items)))


def _over(now: datetime) -> ColumnElement[bool]:
    at = literal(microseconds(now), BigInteger)
    since, ends = _number(LeaseRow.since), _number(LeaseRow.until)
    return or_(ends <= at, ends - at > 2 * (ends - since))


def _number(column: Any) -> ColumnElement[int]:
    """A time as the number that is stored, to calculate with."""
    return type_coerce(column, BigInteger)
