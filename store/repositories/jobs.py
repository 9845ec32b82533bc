"""Jobs: added, moved forward, ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from alworkbench.core.domain import Job, JobKind, JobState, NewJob, ProcessMark
from alworkbench.core.domain.jobs import LIVE
from alworkbench.core.errors import JobRuns, NotInProject
from store.job_schema import JobRow
from store.repositories.common import new_id

KEPT = 500
"""Jobs that are kept; older ones that have ended are deleted when a job is added."""

_COLUMNS = (
    JobRow.id,
    JobRow.kind,
    JobRow.title,
    JobRow.state,
    JobRow.step,
    JobRow.done,
    JobRow.total,
    JobRow.asked_by,
    JobRow.job_order,
    JobRow.host,
    JobRow.pid,
    JobRow.process_token,
    JobRow.attempts,
    JobRow.cancel_asked,
    JobRow.queued_at,
    JobRow.started_at,
    JobRow.heartbeat_at,
    JobRow.finished_at,
    JobRow.reason,
)


class JobRepository:
    """See `core.job_repository.Jobs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: NewJob, now: datetime, *, running: bool) -> Job:
        """Record a job, queued or already running. Raises JobRuns where one of its kind is live."""
        for other in self.live([new.kind]):
            since = other.started_at or other.queued_at
            raise JobRuns(other.id, other.title, other.asked_by, since, other.process.pid)
        job_id = new_id(
            self._connection,
            insert(JobRow).values(
                kind=new.kind,
                title=new.title,
                state=JobState.RUNNING if running else JobState.QUEUED,
                step="",
                done=0,
                total=0,
                asked_by=new.asked_by,
                job_order=dict(new.order),
                **_process(new.process),
                attempts=1 if running else 0,
                cancel_asked=False,
                queued_at=now,
                started_at=now if running else None,
                heartbeat_at=now,
                finished_at=None,
                reason="",
            ),
        )
        old = delete(JobRow).where(JobRow.id <= job_id - KEPT, JobRow.state.not_in(LIVE))
        self._connection.execute(old)
        return self.get(job_id)

    def get(self, job_id: int) -> Job:
        """The job with this id. Raises NotInProject."""
        for found in self._jobs(JobRow.id == job_id):
            return found
        raise NotInProject("job", job_id)

    def newest(self, limit: int) -> list[Job]:
        """The newest jobs, newest first."""
        rows = self._connection.execute(
            select(*_COLUMNS).order_by(JobRow.id.desc()).limit(max(0, limit))
        )
        return [_job(tuple(row)) for row in rows]

    def live(self, kinds: Sequence[JobKind] = tuple(JobKind)) -> list[Job]:
        """Jobs of these kinds that have not ended, oldest first."""
        return self._jobs(JobRow.state.in_(LIVE), JobRow.kind.in_(kinds))

    def start(self, job_id: int, process: ProcessMark, now: datetime) -> bool:
        """Let a process run a queued job; False where it is not queued any more."""
        return self._change(
            and_(JobRow.id == job_id, JobRow.state == JobState.QUEUED),
            state=JobState.RUNNING,
            started_at=now,
            heartbeat_at=now,
            attempts=JobRow.attempts + 1,
            **_process(process),
        )

    def report(
        self, job_id: int, process: ProcessMark, step: str, done: int, total: int, now: datetime
    ) -> bool:
        """See `core.job_repository.Jobs.report`."""
        return self._change(
            and_(
                _live_of(job_id, process),
                JobRow.state == JobState.RUNNING,
                JobRow.cancel_asked.is_(False),
            ),
            step=step,
            done=max(0, done),
            total=max(0, total),
            heartbeat_at=now,
        )

    def ask_cancel(self, job_id: int, reason: str, now: datetime) -> Job:
        """End a queued job; ask a running one to stop at its next step. Raises NotInProject."""
        asked = {"cancel_asked": True, "reason": reason}
        self._change(
            and_(JobRow.id == job_id, JobRow.state == JobState.QUEUED),
            state=JobState.CANCELLED,
            finished_at=now,
            **asked,
        )
        self._change(and_(JobRow.id == job_id, JobRow.state == JobState.RUNNING), **asked)
        return self.get(job_id)

    def finish(
        self, job_id: int, process: ProcessMark, state: JobState, reason: str, now: datetime
    ) -> bool:
        """End a live job of this process; False where it has ended, or is of another process."""
        return self._change(
            _live_of(job_id, process),
            state=state,
            reason=reason,
            finished_at=now,
            heartbeat_at=now,
        )

    def queue_again(
        self, job_id: int, process: ProcessMark, by: ProcessMark, now: datetime
    ) -> bool:
        """Put a live job of `process` back into the queue of `by`; False as in `finish`."""
        return self._change(
            _live_of(job_id, process),
            state=JobState.QUEUED,
            step="",
            done=0,
            total=0,
            started_at=None,
            heartbeat_at=now,
            **_process(by),
        )

    def _change(self, which: ColumnElement[bool], **values: Any) -> bool:
        return self._connection.execute(update(JobRow).where(which).values(**values)).rowcount > 0

    def _jobs(self, *conditions: ColumnElement[bool]) -> list[Job]:
        rows = self._connection.execute(select(*_COLUMNS).where(*conditions).order_by(JobRow.id))
        return [_job(tuple(row)) for row in rows]


def _live_of(job_id: int, process: ProcessMark) -> ColumnElement[bool]:
    return and_(
        JobRow.id == job_id,
        JobRow.state.in_(LIVE),
        JobRow.host == process.host,
        JobRow.pid == process.pid,
        JobRow.process_token == process.token,
    )


def _process(mark: ProcessMark) -> dict[str, Any]:
    return {"host": mark.host, "pid": mark.pid, "process_token": mark.token}


def _job(values: tuple[Any, ...]) -> Job:
    fields: list[Any] = [*values[:9], ProcessMark(*values[9:12]), *values[12:]]
    return Job(*fields)
