"""The table of jobs; it belongs to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from alworkbench.core.domain import JobKind, JobState
from store.columns import Base, words_of

_LIVE = text("state IN ('queued', 'running')")


class JobRow(Base):
    """A computation; a unique index allows at most one live job of a kind."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "(state IN ('queued', 'running')) = (finished_at IS NULL)", name="finished_at"
        ),
        CheckConstraint("done >= 0 AND total >= 0", name="progress"),
        Index("uq_job_live_kind", "kind", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[JobKind] = mapped_column(words_of(JobKind))
    title: Mapped[str]
    state: Mapped[JobState] = mapped_column(words_of(JobState))
    step: Mapped[str]
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    asked_by: Mapped[str]
    job_order: Mapped[dict[str, Any]] = mapped_column(JSON)
    host: Mapped[str]
    pid: Mapped[int] = mapped_column(BigInteger)
    process_token: Mapped[str]
    attempts: Mapped[int]
    cancel_asked: Mapped[bool]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    reason: Mapped[str]
