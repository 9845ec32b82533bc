"""The recorded jobs as pages show them, and the threads that let the queued ones run.

Streamlit draws a page again at each click and stops the drawing before it. A computation that must finish
(learning from a round, ranking the pool) is therefore queued as a job. Every page of every person sees it.
Each lane of jobs has a thread, so that hours of encoding delay no round; see `core.domain.jobs.LANES`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from alworkbench.api import further_orders
from alworkbench.core.domain import ASIDE, LANE_OF, Job, JobKind, JobState
from alworkbench.core.errors import JobRuns, ProjectError, WorkbenchError
from alworkbench.core.process_marks import this_process
from alworkbench.core.worker_process import WorkerEnded
from alworkbench.project.exports import EXPORT_TITLE
from alworkbench.project.job_orders import perform

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

WATCH = 1.0
"""Seconds between two looks for work that became due: a round to prepare, or a learner that is missing."""
ATTEMPTS = 2
"""How often a job is started whose process was killed."""
SERVER = "the server"
"""Who asks for jobs that become due."""
SHUT_DOWN = "the server was shut down; start it again"
"""Why the jobs of a server end with it."""

_log = logging.getLogger(__name__)
Run = Callable[[Job], None]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a page shows it."""

    job: Job
    now: datetime

    @property
    def title(self) -> str:
        """What it does."""
        return self.job.title[:1].upper() + self.job.title[1:]

    @property
    def step(self) -> str:
        """What it does now."""
        return self.job.step or self.title

    @property
    def done(self) -> int:
        """Parts of the step that are done."""
        return self.job.done

    @property
    def total(self) -> int:
        """All parts of the step; 0 where nothing is known."""
        return self.job.total

    @property
    def fraction(self) -> float:
        """Share of the step that is done, 0 to 1."""
        return self.job.fraction

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.job.live

    @property
    def aside(self) -> bool:
        """Whether people go on with a round while it runs."""
        return self.job.order.get("do") == "learn"

    @property
    def error(self) -> str | None:
        """Why it did not succeed; None while it runs, and when it did."""
        ended_badly = self.job.state in (JobState.FAILED, JobState.CANCELLED)
        return (self.job.reason or self.job.state.value) if ended_badly else None

    def seconds(self) -> float:
        """How long it has run."""
        return self.job.seconds(self.now)


def titled(title: str) -> Callable[[Job], bool]:
    """Whether a job has this title."""
    return lambda job: job.title == title


def brings(job: Job) -> bool:
    """Whether a job brings images, labels or features, or looks at them; exports have the same kind."""
    return job.kind in (JobKind.IMPORT, JobKind.ENCODE) and not takes_out(job)


def takes_out(job: Job) -> bool:
    """Whether a job is an export."""
    return job.kind is JobKind.IMPORT and job.title.startswith(EXPORT_TITLE)


def _newest(jobs: Iterable[Job]) -> Job | None:
    """The live one that was asked last, or else the one that ended last: it is the news of a page."""
    return max(
        jobs, key=lambda job: (job.live, job.finished_at or job.queued_at, job.id), default=None
    )


class Jobs:
    """The jobs of the project, and a queue of this process."""

    def __init__(self, workbench: Workbench, run: Run | None = None) -> None:
        """`run` runs one job to its end; without it, this process does."""
        self._workbench = workbench
        self._run: Run = run or self._run_here
        self._since = workbench.session.now()
        self._lock = threading.Lock()
        self._threads: dict[int, threading.Thread] = {}
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tried: set[tuple[str, int]] = set()
        self._lost: dict[int, int] = {}

    def latest(self) -> JobView | None:
        """The live job that changes rounds or learners, or else the one that ended last since the start.

        One that failed is out of date once an import or an encoding that ended later succeeded: it may have
        lacked just these images.
        """
        jobs = self._workbench.jobs.newest()
        found = _newest(each for each in jobs if each.kind not in ASIDE)
        if found is None or found.finished_at is None:
            return self._view(found)
        later = [each.finished_at for each in jobs if each.state is JobState.DONE and brings(each)]
        mended = any(at is not None and at > found.finished_at for at in later)
        if found.finished_at < self._since or (found.state is not JobState.DONE and mended):
            return None
        return self._view(found)

    def newest(self, *kinds: JobKind, which: Callable[[Job], bool] | None = None) -> JobView | None:
        """The live job of these kinds, or else the one that ended last; None if there is none.

        `which` says which jobs count once they have ended; None: all.
        """
        jobs = [each for each in self._workbench.jobs.newest() if each.kind in kinds]
        return self._view(
            _newest(each for each in jobs if each.live or which is None or which(each))
        )

    def _view(self, job: Job | None) -> JobView | None:
        return None if job is None else JobView(job, self._workbench.session.now())

    def cancel(self, job: Job, by: str) -> None:
        """Stop a job at its next step; nothing of it is stored. `by` is who says so."""
        self._workbench.jobs.cancel(job.id, f"cancelled by {by}")

    def start(self, kind: JobKind, title: str, asked_by: str, order: Mapping[str, Any]) -> bool:
        """Queue a job; False where one of its kind is live, or the server is shutting down."""
        if self._stopping.is_set():
            return False
        try:
            self._workbench.jobs.queue(kind, title, asked_by, order)
        except JobRuns:
            return False
        self._wake()
        return True

    def wait(self, timeout: float | None = None) -> None:
        """Until all queued jobs have ended, or `timeout` seconds have passed."""
        with self._lock:
            threads = list(self._threads.values())
        end = None if timeout is None else time.monotonic() + timeout
        for thread in threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def watch(self, run: Run | None = None) -> None:
        """From now on take up jobs whose process was killed, and work that becomes due, in a thread.

        `run` runs the jobs from now on, such as a `JobWorker`.
        """
        self._run = run or self._run
        self._watcher = threading.Thread(target=self._look, name="jobs-watch", daemon=True)
        self._watcher.start()

    @property
    def stopped(self) -> bool:
        """Whether nothing is run any more: the server ends, or the project was closed."""
        return self._stopping.is_set()

    def stop(self, timeout: float, why: str = SHUT_DOWN) -> None:
        """Cancel the jobs of this process, and wait for their end. `why` is what they record."""
        self._stopping.set()
        with suppress(ProjectError):
            for job in self._own():
                self._workbench.jobs.cancel(job.id, why)
        self.wait(timeout)
        if self._watcher is not None:
            self._watcher.join(timeout)

    # ------------------------------------------------------------------------------------ the queue
    def _own(self) -> list[Job]:
        """Live jobs that have an order: those that a server of this project runs."""
        return [each for each in self._workbench.jobs.live() if each.order]

    def _wake(self) -> None:
        with self._lock:
            for lane in {LANE_OF[job.kind] for job in self._queued()}:
                if lane not in self._threads or not self._threads[lane].is_alive():
                    name = f"jobs-{lane}"
                    thread = threading.Thread(
                        target=self._drain, args=(lane,), name=name, daemon=True
                    )
                    self._threads[lane] = thread
                    thread.start()

    def _drain(self, lane: int) -> None:
        while (job := self._next(lane)) is not None:
            try:
                self._run(job)
            except WorkerEnded as ended:
                self._again(job, str(ended))
            except Exception:
                _log.exception("the queue of jobs failed at job %d", job.id)
                self._again(job, "could not be run by the server")

    def _next(self, lane: int) -> Job | None:
        """The oldest queued job of this process and lane. None: the thread ends, under the lock."""
        with self._lock:
            for job in self._queued():
                if LANE_OF[job.kind] == lane:
                    return job
            del self._threads[lane]
            return None

    def _queued(self) -> list[Job]:
        mark = this_process()
        live = self._workbench.jobs.live()
        return [job for job in live if job.state is JobState.QUEUED and job.process == mark]

    def _again(self, job: Job, how: str) -> None:
        """A job whose process ended: it is queued again once, and then fails with the reason."""
        found = self._workbench.jobs.get(job.id)
        if not found.live:
            return
        self._lost[job.id] = (
            self._lost.get(job.id, 0) + 1
        )  # it may have ended before it began the job
        again = max(found.attempts, self._lost[job.id]) < ATTEMPTS
        if again and not self._stopping.is_set():
            self._workbench.jobs.queue_again(found)
            return
        reason = f"the process that computed it {how}. What was not finished was not stored."
        self._workbench.jobs.fail(found, reason)

    def _run_here(self, job: Job) -> None:
        with suppress(WorkbenchError):  # its reason is recorded
            perform(self._workbench, job, further_orders())

    # ------------------------------------------------------------------------------------ the watch
    def _look(self) -> None:
        while not self._stopping.wait(WATCH):
            try:
                self._workbench.jobs.settle(resume=ATTEMPTS)
                self._take_up_due()
                self._wake()
            except ProjectError as problem:  # a busy database: the next look comes
                _log.warning("no look for due jobs: %s", problem)
            except Exception:
                _log.exception("looking for due jobs failed")

    def _take_up_due(self) -> None:
        """Each is tried once in a round: a failed job says why in the list of jobs."""
        prepared = self._workbench.prepared
        current = self._workbench.rounds.current()
        if current is not None and ("prepare", current.id) not in self._tried and prepared.due():
            self._tried.add(("prepare", current.id))
            title = f"prepare the round after round {current.number}"
            self.start(JobKind.PREPARE, title, SERVER, {"do": "prepare"})
        closed = prepared.unlearned()
        if closed is not None and ("learn", closed.id) not in self._tried:
            order = {"do": "learn", "round_id": closed.id}
            if self.start(JobKind.LEARN, f"learn from round {closed.number}", SERVER, order):
                self._tried.add(("learn", closed.id))
