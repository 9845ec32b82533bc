"""The tables of people who work together: leases and reviews; they belong to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alworkbench.core.domain import ReviewReason, ReviewState
from store.columns import Base


class LeaseRow(Base):
    """The right of one person to answer an item. Those of a round go when it is closed."""

    __tablename__ = "lease"
    __table_args__ = (CheckConstraint("since < until", name="length"),)

    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    annotator: Mapped[str] = mapped_column(primary_key=True)
    tab: Mapped[str | None]
    """The browser tab that shows the image; null outside of a browser."""
    token: Mapped[str] = mapped_column(unique=True)
    since: Mapped[datetime]
    until: Mapped[datetime]


class ReviewRow(Base):
    """A case for a reviewer. A closed case is never changed and none is removed: see `triggers`."""

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at"),
        CheckConstraint("(state = 'open') = (closed_by IS NULL)", name="closed_by"),
        CheckConstraint("(state = 'resolved') = (label_id IS NOT NULL)", name="label_id"),
        CheckConstraint("(reason = 'second_opinion') = (asked_by IS NOT NULL)", name="asked_by"),
        CheckConstraint("opinion_class_id IS NULL OR state = 'passed_on'", name="opinion"),
        Index(
            "uq_review_open",
            "image_id",
            "reason",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index(None, "image_id"),
        Index("uq_review_event_id", "event_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    reason: Mapped[ReviewReason]
    newest_label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))
    probability: Mapped[float | None]
    opened_at: Mapped[datetime]
    state: Mapped[ReviewState]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    label_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"))
    note: Mapped[str | None]
    predicted_class_id: Mapped[int | None] = mapped_column(ForeignKey("label_class.id"))
    predicted_probability: Mapped[float | None]
    asked_by: Mapped[str | None]
    opinion_class_id: Mapped[int | None] = mapped_column(ForeignKey("label_class.id"))
    event_id: Mapped[str | None]
    """Of the act that closed it, on the case that the act named; null outside of a browser."""
