"""Rounds and their items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from alworkbench.core.domain import CLOSED_BY, Item, NewRound, Round, RoundCount, RoundState
from alworkbench.core.errors import NotInProject, RoundStillOpen
from store.repositories.common import in_chunks, new_id
from store.repositories.items import count_left_for, in_open_round, read_items, read_progress
from store.repositories.leases import (
    Claim,
    claim_items,
    end_leases,
    end_leases_of_round,
    release_items,
)
from store.schema import ItemRow, RoundRow

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


class RoundRepository:
    """See `core.round_repositories.Rounds`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -------------------------------------------------------------------------------------- rounds
    def open(self, new: NewRound, now: datetime) -> Round:
        """Publish a round. Raises RoundStillOpen, and ValueError for a score that is no number."""
        still_open = self.current()
        if still_open is not None:
            left = read_progress(self._connection, still_open.id).items_left
            raise RoundStillOpen(still_open.number, left)
        if any(item.score is not None and math.isnan(item.score) for item in new.items):
            raise ValueError("an item's score is not a number; give None for no score")
        if any(item.wanted < 1 for item in new.items):
            raise ValueError("an item needs an answer of at least one person")
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
                        "wanted": item.wanted,
                        "blind": item.blind,
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

    def close(self, round_id: int, now: datetime, by: str = "") -> Round:
        """Closing a closed round changes nothing, its time included. Its leases end."""
        settings = {**self.get(round_id).settings, **({CLOSED_BY: by} if by else {})}
        self._connection.execute(
            update(RoundRow)
            .where(RoundRow.id == round_id, RoundRow.state == RoundState.OPEN)
            .values(state=RoundState.CLOSED, closed_at=now, settings=settings)
        )
        end_leases_of_round(self._connection, round_id)
        return self.get(round_id)

    def _rounds(self, *conditions: ColumnElement[bool]) -> list[Round]:
        rows = self._connection.execute(
            select(*ROUND_COLUMNS).where(*conditions).order_by(RoundRow.number)
        )
        return [Round(*row) for row in rows]

    # --------------------------------------------------------------------------------------- items
    def items(self, round_id: int) -> list[Item]:
        """See `core.round_repositories.Rounds.items`."""
        return read_items(self._connection, ItemRow.round_id == round_id)

    def item(self, item_id: int) -> Item | None:
        """The item with this id; None for an unknown id."""
        return next(iter(read_items(self._connection, ItemRow.id == item_id)), None)

    def asking(self, image_id: int) -> Item | None:
        """The item of the open round that asks about this image, or None."""
        found = read_items(self._connection, ItemRow.image_id == image_id, in_open_round())
        return next(iter(found), None)

    def images(self, round_id: int) -> list[int]:
        """The images that a round asks about, in its order."""
        asked = select(ItemRow.image_id).where(ItemRow.round_id == round_id)
        return list(self._connection.scalars(asked.order_by(ItemRow.position)))

    def progress(self, round_id: int) -> RoundCount:
        """See `core.round_repositories.Rounds.progress`."""
        return read_progress(self._connection, round_id)

    def left_for(self, round_id: int, annotator: str) -> int:
        """See `core.round_repositories.Rounds.left_for`."""
        return count_left_for(self._connection, round_id, annotator)

    # -------------------------------------------------------------------------------------- leases
    def claim(
        self, round_id: int, annotator: str, limit: int, now: datetime, until: datetime,
        *, tab: str | None = None, left_before: datetime | None = None,
    ) -> list[Item]:  # fmt: skip
        """See `core.round_repositories.Rounds.claim`. Items of a closed round are not leased."""
        claimed = Claim(annotator, tab, now, until, left_before)
        return claim_items(self._connection, round_id, limit, claimed)

    def release(self, annotator: str, tab: str | None, item_ids: Sequence[int]) -> None:
        """See `core.round_repositories.Rounds.release`."""
        release_items(self._connection, annotator, tab, item_ids)

    def end_leases(self, tokens: Sequence[str]) -> None:
        """See `core.round_repositories.Rounds.end_leases`."""
        end_leases(self._connection, tokens)
