"""Rounds, their items, and the leases on items."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from alworkbench.core.domain import Item, Label, Lease, NewRound, Round, RoundState, Suggestion
from alworkbench.core.errors import NotInProject, RoundStillOpen
from store.columns import microseconds
from store.repositories.common import in_chunks, new_id
from store.repositories.labels import LABEL_COLUMNS, still_counts
from store.schema import ItemRow, LabelRow, RoundRow

# In the order of the fields of `Round`.
ROUND_COLUMNS = (
    RoundRow.id,
    RoundRow.number,
    RoundRow.strategy,
    RoundRow.seed,
    RoundRow.batch_size,
    RoundRow.class_list_id,
    RoundRow.posterior_id,
    RoundRow.learner_id,
    RoundRow.state,
    RoundRow.opened_at,
    RoundRow.closed_at,
    RoundRow.seconds,
    RoundRow.settings,
)

ITEM_COLUMNS = (
    ItemRow.id,
    ItemRow.round_id,
    ItemRow.image_id,
    ItemRow.position,
    ItemRow.score,
    ItemRow.suggested_class_id,
    ItemRow.suggested_probability,
    ItemRow.lease_annotator,
    ItemRow.lease_token,
    ItemRow.lease_until,
    ItemRow.probability,
)


_NO_LEASE: dict[str, None] = dict.fromkeys(
    ("lease_annotator", "lease_tab", "lease_token", "lease_since", "lease_until")
)


class RoundRepository:
    """See `core.repositories.Rounds`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -------------------------------------------------------------------------------------- rounds
    def open(self, new: NewRound, now: datetime) -> Round:
        """Publish a round. Raises RoundStillOpen, and ValueError for a score that is no number."""
        still_open = self.current()
        if still_open is not None:
            unanswered = select(func.count()).where(ItemRow.round_id == still_open.id, ~_answered())
            raise RoundStillOpen(still_open.number, self._connection.scalar(unanswered) or 0)
        if any(item.score is not None and math.isnan(item.score) for item in new.items):
            raise ValueError("an item's score is not a number; give None for no score")
        if any(p is not None and not 0 < p <= 1 for p in (item.probability for item in new.items)):
            raise ValueError("an item was drawn with a probability outside of (0, 1]")
        number = (self._connection.scalar(select(func.max(RoundRow.number))) or 0) + 1
        round_id = new_id(
            self._connection,
            insert(RoundRow).values(
                number=number,
                strategy=new.strategy,
                seed=new.seed,
                batch_size=len(new.items),
                class_list_id=new.class_list_id,
                posterior_id=new.posterior_id,
                learner_id=new.learner_id,
                state=RoundState.OPEN,
                opened_at=now,
                seconds=new.seconds,
                settings=dict(new.settings),
            ),
        )
        for chunk in in_chunks(enumerate(new.items)):
            self._connection.execute(
                insert(ItemRow),
                [
                    {
                        "round_id": round_id,
                        "image_id": item.image_id,
                        "position": position,
                        "score": item.score,
                        "suggested_class_id": s.class_id if (s := item.suggestion) else None,
                        "suggested_probability": s.probability if s else None,
                        "probability": item.probability,
                    }
                    for position, item in chunk
                ],
            )
        return self.get(round_id)

    def current(self) -> Round | None:
        """The open round, or None."""
        return next(iter(self._rounds(RoundRow.state == RoundState.OPEN)), None)

    def get(self, round_id: int) -> Round:
        """Raises NotInProject for an unknown id."""
        for found in self._rounds(RoundRow.id == round_id):
            return found
        raise NotInProject("round", round_id)

    def all(self) -> list[Round]:
        """By number."""
        return self._rounds()

    def close(self, round_id: int, now: datetime) -> Round:
        """Closing a closed round changes nothing, its time included."""
        self._connection.execute(
            update(RoundRow)
            .where(RoundRow.id == round_id, RoundRow.state == RoundState.OPEN)
            .values(state=RoundState.CLOSED, closed_at=now)
        )
        return self.get(round_id)

    def _rounds(self, *conditions: ColumnElement[bool]) -> list[Round]:
        rows = self._connection.execute(
            select(*ROUND_COLUMNS).where(*conditions).order_by(RoundRow.number)
        )
        return [Round(*row) for row in rows]

    # --------------------------------------------------------------------------------------- items
    def items(self, round_id: int) -> list[Item]:
        """Every item in its order, with the answer that counts and its lease, ended or not."""
        return self._items(ItemRow.round_id == round_id)

    def item(self, item_id: int) -> Item | None:
        """The item with this id; None for an unknown id."""
        return next(iter(self._items(ItemRow.id == item_id)), None)

    def _items(self, *conditions: ColumnElement[bool]) -> list[Item]:
        counts = (
            select(func.max(LabelRow.id))
            .where(LabelRow.item_id == ItemRow.id, still_counts())
            .correlate(ItemRow)
            .scalar_subquery()
        )
        rows = self._connection.execute(
            select(*ITEM_COLUMNS, *LABEL_COLUMNS)
            .outerjoin(LabelRow, LabelRow.id == counts)
            .where(*conditions)
            .order_by(ItemRow.round_id, ItemRow.position)
        )
        return [_item(tuple(row)) for row in rows]

    # -------------------------------------------------------------------------------------- leases
    def claim(
        self,
        round_id: int,
        annotator: str,
        limit: int,
        now: datetime,
        until: datetime,
        *,
        tab: str | None = None,
        left_before: datetime | None = None,
    ) -> list[Item]:
        """See `core.repositories.Rounds.claim`. Items of a closed round are not leased.

        Items that the tab already holds come first, so that no tab ever holds more than `limit`.
        A lease with more than twice its duration left has ended: the clock was set back.
        """
        if until <= now:
            raise ValueError(f"a lease must end after it begins, found {now} to {until}")
        at = literal(microseconds(now), BigInteger)
        since, ends = _number(ItemRow.lease_since), _number(ItemRow.lease_until)
        over = or_(ends <= at, ends - at > 2 * (ends - since))
        mine = and_(ItemRow.lease_annotator.is_not(None), ItemRow.lease_annotator == annotator)
        here = ItemRow.lease_tab.is_(None) if tab is None else ItemRow.lease_tab == tab
        own = and_(mine, func.coalesce(here, literal(False)))
        left = (
            literal(False)
            if left_before is None
            else and_(mine, since <= microseconds(left_before))
        )
        open_round = exists().where(
            RoundRow.id == ItemRow.round_id, RoundRow.state == RoundState.OPEN
        )
        chosen = (
            select(ItemRow.id)
            .where(
                ItemRow.round_id == round_id,
                open_round,
                ~_answered(),
                or_(ItemRow.lease_token.is_(None), own, over, left),
            )
            .order_by(case((own, 0), else_=1), ItemRow.position)
            .limit(max(0, limit))
        )
        # One secret for the claim, and the id of the item, give each item its own token.
        fresh = literal(secrets.token_urlsafe(24) + ".", Text) + cast(ItemRow.id, Text)
        later = literal(until, ItemRow.lease_until.type)
        claimed = self._connection.scalars(
            update(ItemRow)
            .where(ItemRow.id.in_(chosen))
            .values(
                lease_annotator=annotator,
                lease_tab=tab,
                lease_token=case((own, ItemRow.lease_token), else_=fresh),
                lease_since=now,
                lease_until=case(
                    (and_(own, ~over, ItemRow.lease_until > later), ItemRow.lease_until),
                    else_=later,
                ),
            )
            .returning(ItemRow.id)
        ).all()
        return [
            item for ids in in_chunks(sorted(claimed)) for item in self._items(ItemRow.id.in_(ids))
        ]

    def release(self, annotator: str, tab: str | None, item_ids: Sequence[int]) -> None:
        """See `core.repositories.Rounds.release`."""
        here = ItemRow.lease_tab.is_(None) if tab is None else ItemRow.lease_tab == tab
        for ids in in_chunks(item_ids):
            self._connection.execute(
                update(ItemRow)
                .where(ItemRow.id.in_(ids), ItemRow.lease_annotator == annotator, here)
                .values(**_NO_LEASE)
            )

    def end_leases(self, tokens: Sequence[str]) -> None:
        """See `core.repositories.Rounds.end_leases`."""
        for some in in_chunks(tokens):
            self._connection.execute(
                update(ItemRow).where(ItemRow.lease_token.in_(some)).values(**_NO_LEASE)
            )


def _answered() -> ColumnElement[bool]:
    return exists().where(LabelRow.item_id == ItemRow.id, still_counts())


def _number(column: Any) -> ColumnElement[int]:
    """A time as the number that is stored, to calculate with."""
    return type_coerce(column, BigInteger)


def _item(values: tuple[Any, ...]) -> Item:
    (id_, round_id, image_id, position, score, class_id, sure, annotator, token, until, drawn) = (
        values[: len(ITEM_COLUMNS)]
    )
    label = values[len(ITEM_COLUMNS) :]
    return Item(
        id=id_,
        round_id=round_id,
        image_id=image_id,
        position=position,
        score=score,
        suggestion=None if class_id is None else Suggestion(class_id, sure),
        lease=None if token is None else Lease(annotator, token, until),
        label=None if label[0] is None else Label(*label),
        probability=drawn,
    )
