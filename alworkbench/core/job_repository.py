"""The jobs that a store holds, as a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import Job, JobKind, JobState, NewJob, ProcessMark


@runtime_checkable
class Jobs(Protocol):
    """Jobs are added and move forward; one that has ended never changes again."""

    def add(self, new: NewJob, now: datetime, *, running: bool) -> Job:
        """Record a job, queued or already running. Raises JobRuns where one of its kind is live."""
        ...

    def get(self, job_id: int) -> Job:
        """The job with this id. Raises NotInProject."""
        ...

    def newest(self, limit: int) -> list[Job]:
        """The newest jobs, newest first."""
        ...

    def live(self, kinds: Sequence[JobKind] = tuple(JobKind)) -> list[Job]:
        """Jobs of these kinds that have not ended, oldest first."""
        ...

    def start(self, job_id: int, process: ProcessMark, now: datetime) -> bool:
        """Let a process run a queued job; False where it is not queued any more."""
        ...

    def report(
        self, job_id: int, process: ProcessMark, step: str, done: int, total: int, now: datetime
    ) -> bool:
        """Record how far it is. False where it must stop: cancelled, or not of this process any more."""
        ...

    def ask_cancel(self, job_id: int, reason: str, now: datetime) -> Job:
        """End a queued job; ask a running one to stop at its next step. Raises NotInProject."""
        ...

    def finish(
        self, job_id: int, process: ProcessMark, state: JobState, reason: str, now: datetime
    ) -> bool:
        """End a live job of this process; False where it has ended, or is of another process."""
        ...

    def queue_again(
        self, job_id: int, process: ProcessMark, by: ProcessMark, now: datetime
    ) -> bool:
        """Put a live job of `process` back into the queue of `by`; False as in `finish`."""
        ...
