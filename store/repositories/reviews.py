"""Cases for a reviewer: opened, and closed once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, insert, or_, select, update

from alworkbench.core.domain import NewReview, Review, ReviewState
from alworkbench.core.errors import NotInProject, ReviewClosed
from store.repositories.common import new_id
from store.schema import LabelRow
from store.team_schema import ReviewRow

# In the order of the fields of `Review`.
REVIEW_COLUMNS = (
    ReviewRow.id,
    ReviewRow.image_id,
    ReviewRow.reason,
    ReviewRow.newest_label_id,
    ReviewRow.probability,
    ReviewRow.opened_at,
    ReviewRow.state,
    ReviewRow.closed_at,
    ReviewRow.closed_by,
    ReviewRow.label_id,
    ReviewRow.note,
)


class ReviewRepository:
    """See `core.round_repositories.Reviews`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, cases: Sequence[NewReview], now: datetime) -> int:
        """See `core.round_repositories.Reviews.open`."""
        opened = 0
        for case in cases:
            settled = exists().where(
                ReviewRow.image_id == case.image_id,
                ReviewRow.reason == case.reason,
                or_(
                    ReviewRow.state == ReviewState.OPEN,
                    ReviewRow.newest_label_id >= case.newest_label_id,
                    # Cases that were resolved before the newest label at their end was recorded.
                    ReviewRow.label_id >= case.newest_label_id,
                ),
            )
            if self._connection.scalar(select(settled)):
                continue
            new_id(
                self._connection,
                insert(ReviewRow).values(
                    image_id=case.image_id,
                    reason=case.reason,
                    newest_label_id=case.newest_label_id,
                    probability=case.probability,
                    opened_at=now,
                    state=ReviewState.OPEN,
                ),
            )
            opened += 1
        return opened

    def get(self, review_id: int) -> Review:
        """Raises NotInProject for an unknown id."""
        for found in self._reviews(ReviewRow.id == review_id):
            return found
        raise NotInProject("review", review_id)

    def all(self) -> list[Review]:
        """Every case, oldest first."""
        return self._reviews()

    def close(
        self,
        review_id: int,
        *,
        by: str,
        label_id: int | None,
        note: str | None,
        now: datetime,
    ) -> Review:
        """See `core.round_repositories.Reviews.close`."""
        found = self.get(review_id)
        if found.state is not ReviewState.OPEN:
            raise ReviewClosed(review_id, found.state.value, found.closed_by)
        newest = select(func.max(LabelRow.id)).where(LabelRow.image_id == found.image_id)
        self._connection.execute(
            update(ReviewRow)
            .where(ReviewRow.id == review_id)
            .values(
                newest_label_id=newest.scalar_subquery(),
                state=ReviewState.DISMISSED if label_id is None else ReviewState.RESOLVED,
                closed_at=now,
                closed_by=by,
                label_id=label_id,
                note=note,
            )
        )
        return self.get(review_id)

    def _reviews(self, *conditions: ColumnElement[bool]) -> list[Review]:
        rows = self._connection.execute(
            select(*REVIEW_COLUMNS).where(*conditions).order_by(ReviewRow.id)
        )
        return [Review(*row) for row in rows]
