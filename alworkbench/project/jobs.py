"""Recorded jobs: a computation takes a claim, says how far it is, and can be stopped by anybody.

Whoever starts it (the browser, the command line, a script), at most one job of a kind is live: the database
refuses a second. A job whose process is gone is noticed by the next one who looks, and ended with a reason.
Simulations and replays compute on a store of their own, which nobody else sees: they record no jobs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from alworkbench.core.domain import Job, JobKind, JobState, NewJob
from alworkbench.core.errors import JobCancelled, ProjectError
from alworkbench.core.ports import Store
from alworkbench.core.process_marks import is_there, this_process
from alworkbench.core.progress import Progress, silent

BEAT = 5.0
"""Seconds between two heartbeats, and at most before a computation learns that it was cancelled."""
EVERY = 0.5
"""Seconds between two records of progress."""
SILENCE = timedelta(minutes=2)
"""So long after its last heartbeat a job of another machine is given up."""
SHOWN = 20
"""Jobs that are listed."""


Clock = Callable[[], datetime]
"""Gives the time, aware and in UTC."""


class Stopped(BaseException):
    """Raised inside a computation by its progress call, so that no handler of errors keeps it."""


class Recorder:
    """The progress of a job that this process runs: told on, recorded, and refused once it is cancelled."""

    def __init__(self, store: Store, clock: Clock, job: Job, told: Progress) -> None:
        self._store = store
        self._clock = clock
        self._told = told
        self.job = job
        self._now = ("", 0, 0)
        self._recorded = -EVERY
        self._ended = threading.Event()
        self.stopped = False
        """Whether the store said that the job must stop."""
        self._beats = threading.Thread(target=self._beat, name=f"job-{job.id}", daemon=True)
        self._beats.start()

    def __call__(self, step: str, done: int, total: int) -> None:
        """See `Progress`. Raises Stopped where somebody cancelled the job."""
        self._told(step, done, total)
        other_step = step != self._now[0]
        self._now = (step, done, total)
        if other_step or time.monotonic() - self._recorded >= EVERY:
            self._record()
        if self.stopped:
            raise Stopped

    def end(self) -> None:
        """Send no more heartbeats."""
        self._ended.set()
        self._beats.join()

    def _record(self) -> None:
        self._recorded = time.monotonic()
        with self._store.write() as writer:
            goes_on = writer.jobs.report(self.job.id, self.job.process, *self._now, self._clock())
        self.stopped = self.stopped or not goes_on

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(
                ProjectError, RuntimeError
            ):  # a busy or closed store: the next beat comes
                self._record()


class Jobs:
    """The jobs of a project."""

    def __init__(
        self, store: Store, clock: Clock, asked_by: str, records: Callable[[], bool]
    ) -> None:
        """`asked_by` is who starts jobs here. Where `records` says no, claims are free and not recorded."""
        self._store = store
        self._clock = clock
        self._asked_by = asked_by
        self._records = records
        self._mine = threading.local()

    # ------------------------------------------------------------------------------------- reading
    def newest(self, limit: int = SHOWN) -> list[Job]:
        """The newest jobs, newest first. A job whose process is gone is shown as what it became."""
        self.settle()
        with self._store.read() as reader:
            return reader.jobs.newest(limit)

    def live(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""
        self.settle()
        with self._store.read() as reader:
            return reader.jobs.live()

    def get(self, job_id: int) -> Job:
        """The job with this id. Raises NotInProject."""
        with self._store.read() as reader:
            return reader.jobs.get(job_id)

    def asked_by(self, kind: JobKind) -> str:
        """Who asked for the work of this kind that this thread does now."""
        held: dict[JobKind, Recorder] = self._mine.__dict__.get("held", {})
        return held[kind].job.asked_by if kind in held else self._asked_by

    # ------------------------------------------------------------------------------------ changing
    def cancel(self, job_id: int, reason: str | None = None) -> Job:
        """End a queued job; a running one stops at its next step. Raises NotInProject."""
        self.settle()
        reason = reason or f"cancelled by {self._asked_by}"
        with self._store.write() as writer:
            return writer.jobs.ask_cancel(job_id, reason, self._clock())

    def queue(self, kind: JobKind, title: str, asked_by: str, order: Mapping[str, Any]) -> Job:
        """Record a job for a worker process of this one. Raises JobRuns where one of its kind is live."""
        self.settle((kind,))
        new = NewJob(kind, title, asked_by, this_process(), order)
        with self._store.write() as writer:
            return writer.jobs.add(new, self._clock(), running=False)

    def queue_again(self, job: Job) -> None:
        """Put a live job whose process is gone into the queue of this process."""
        with self._store.write() as writer:
            writer.jobs.queue_again(job.id, job.process, this_process(), self._clock())

    def fail(self, job: Job, reason: str) -> None:
        """End a live job whose process is gone, as failed."""
        with self._store.write() as writer:
            writer.jobs.finish(job.id, job.process, JobState.FAILED, reason, self._clock())

    def settle(self, kinds: tuple[JobKind, ...] = tuple(JobKind), *, resume: int = 0) -> list[Job]:
        """End the live jobs whose process is gone, as failed; returns them as they were.

        A job with an order that was started fewer than `resume` times goes into the queue of this process
        instead.
        """
        lost = self.lost(kinds)
        if lost:
            with suppress(ProjectError), self._store.write() as writer:
                for job in lost:
                    mark, now = job.process, self._clock()
                    if job.order and job.attempts < resume:
                        writer.jobs.queue_again(job.id, mark, this_process(), now)
                    else:
                        writer.jobs.finish(job.id, mark, JobState.FAILED, _gone(job), now)
        return lost

    def lost(self, kinds: tuple[JobKind, ...] = tuple(JobKind)) -> list[Job]:
        """The live jobs whose process is gone."""
        with self._store.read() as reader:
            live = reader.jobs.live(kinds)
        return [job for job in live if self._is_lost(job)]

    def _is_lost(self, job: Job) -> bool:
        there = is_there(job.process)
        if there is not None:
            return not there
        # A clock that was set may be before the last heartbeat as well as long after it.
        return abs(self._clock() - job.heartbeat_at) > SILENCE

    # ------------------------------------------------------------------------------------- running
    @contextmanager
    def claim(
        self, kind: JobKind, title: Callable[[], str], progress: Progress = silent
    ) -> Iterator[Progress]:
        """A block in which this process alone does work of this kind; gives the progress to call.

        Inside a job of the same kind of this thread, it is part of that job. Raises JobRuns where another
        job of the kind is live, and JobCancelled where somebody stopped this one.
        """
        held: dict[JobKind, Recorder] = self._mine.__dict__.setdefault("held", {})
        if not self._records():
            yield progress
        elif kind in held:
            yield both(held[kind], progress)
        else:
            self.settle((kind,))
            new = NewJob(kind, title(), self._asked_by, this_process())
            with self._store.write() as writer:
                job = writer.jobs.add(new, self._clock(), running=True)
            with self._recorded(job, progress) as recorder:
                yield recorder

    def held(self, kind: JobKind) -> Job | None:
        """The job of this kind that this thread works on now."""
        found: Recorder | None = self._mine.__dict__.get("held", {}).get(kind)
        return None if found is None else found.job

    @contextmanager
    def work_on(self, job: Job, progress: Progress = silent) -> Iterator[Progress]:
        """Run a queued job in this process and thread; see `claim`.

        Raises JobCancelled where it is not in the queue any more.
        """
        mark = this_process()
        with self._store.write() as writer:
            begun = writer.jobs.start(job.id, mark, self._clock())
            found = writer.jobs.get(job.id)
        if not begun:
            raise JobCancelled(job.title, found.reason or "it is not in the queue any more")
        with self._recorded(found, progress) as recorder:
            yield recorder

    @contextmanager
    def _recorded(self, job: Job, progress: Progress) -> Iterator[Recorder]:
        held: dict[JobKind, Recorder] = self._mine.__dict__.setdefault("held", {})
        recorder = held[job.kind] = Recorder(self._store, self._clock, job, progress)
        state, reason = JobState.FAILED, "it was interrupted"
        try:
            yield recorder
            state, reason = JobState.DONE, ""
        except Stopped:
            state, reason = JobState.CANCELLED, self.get(job.id).reason
            raise JobCancelled(job.title, reason) from None
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise
        finally:
            recorder.end()
            del held[job.kind]
            with self._store.write() as writer:
                writer.jobs.finish(job.id, job.process, state, reason, self._clock())


def both(one: Progress, other: Progress) -> Progress:
    """A progress call that is told to two."""

    def tell(step: str, done: int, total: int) -> None:
        other(step, done, total)
        one(step, done, total)

    return tell


def _gone(job: Job) -> str:
    """Why a job whose process is gone has failed."""
    mark = job.process
    if job.state is JobState.QUEUED:
        return f"the server that was to run it has ended (process {mark.pid} on {mark.host})"
    return (
        f"its process ended before it was done: process {mark.pid} on {mark.host} was killed, or the machine "
        f"was restarted. What was not finished was not stored."
    )
