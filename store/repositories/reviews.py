"""Cases for a reviewer: opened, and closed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, insert, or_, select, update

from alworkbench.core.domain import NewReview, Review, ReviewReason, ReviewState
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
    ReviewRow.predicted_class_id,
    ReviewRow.predicted_probability,
    ReviewRow.asked_by,
    ReviewRow.opinion_class_id,
    ReviewRow.event_id,
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
                ReviewRow.reason.in_([case.reason, ReviewReason.SECOND_OPINION]),
                or_(
                    ReviewRow.state == ReviewState.OPEN,
                    ReviewRow.newest_label_id >= case.newest_label_id,
                    # Cases that were resolved before the newest label at their end was recorded.
                    ReviewRow.label_id >= case.newest_label_id,
                ),
            )
            if self._connection.scalar(select(settled)):
                continue
            self._add(case, now)
            opened += 1
        return opened

    def _add(self, case: NewReview, now: datetime) -> int:
        values = {**asdict(case), "opened_at": now, "state": ReviewState.OPEN}
        return new_id(self._connection, insert(ReviewRow).values(**values))

    def get(self, review_id: int) -> Review:
        """Raises NotInProject for an unknown id."""
        for found in self._reviews(ReviewRow.id == review_id):
            return found
        raise NotInProject("review", review_id)

    def by_event(self, event_id: str) -> Review | None:
        """See `core.round_repositories.Reviews.by_event`."""
        return next(iter(self._reviews(ReviewRow.event_id == event_id)), None)

    def all(self) -> list[Review]:
        """Every case, oldest first."""
        return self._reviews()

    def count_open(self) -> int:
        """How many cases are open."""
        found = self._connection.scalar(
            select(func.count()).where(ReviewRow.state == ReviewState.OPEN)
        )
        return found or 0

    def close(
        self,
        review_id: int,
        *,
        by: str,
        label_id: int | None,
        note: str | None,
        now: datetime,
        event_id: str | None = None,
    ) -> Review:
        """See `core.round_repositories.Reviews.close`."""
        state = ReviewState.DISMISSED if label_id is None else ReviewState.RESOLVED
        return self._close(review_id, state, by, note, now, label_id=label_id, event_id=event_id)

    def pass_on(
        self,
        review_id: int,
        *,
        by: str,
        opinion_class_id: int | None,
        note: str | None,
        now: datetime,
        event_id: str | None = None,
    ) -> Review:
        """See `core.round_repositories.Reviews.pass_on`."""
        state, saw = ReviewState.PASSED_ON, opinion_class_id
        closed = self._close(
            review_id, state, by, note, now, opinion_class_id=saw, event_id=event_id
        )
        for other in self._reviews(
            ReviewRow.image_id == closed.image_id, ReviewRow.state == ReviewState.OPEN
        ):
            self._close(other.id, state, by, note, now, opinion_class_id=saw)
        case = NewReview(
            closed.image_id,
            ReviewReason.SECOND_OPINION,
            closed.newest_label_id,
            closed.probability,
            closed.predicted_class_id,
            closed.predicted_probability,
            asked_by=by,
        )
        return self.get(self._add(case, now))

    def _close(
        self,
        review_id: int,
        state: ReviewState,
        by: str,
        note: str | None,
        now: datetime,
        **values: int | str | None,
    ) -> Review:
        found = self.get(review_id)
        if found.state is not ReviewState.OPEN:
            raise ReviewClosed(review_id, found.state.value, found.closed_by)
        newest = select(func.max(LabelRow.id)).where(LabelRow.image_id == found.image_id)
        closing = {
            "newest_label_id": newest.scalar_subquery(),
            "state": state,
            "closed_at": now,
            "closed_by": by,
            "note": note,
            **values,
        }
        self._connection.execute(
            update(ReviewRow).where(ReviewRow.id == review_id).values(**closing)
        )
        return self.get(review_id)

    def _reviews(self, *conditions: ColumnElement[bool]) -> list[Review]:
        rows = self._connection.execute(
            select(*REVIEW_COLUMNS).where(*conditions).order_by(ReviewRow.id)
        )
        return [Review(*row) for row in rows]
