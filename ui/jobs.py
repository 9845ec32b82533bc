"""Computations that a page starts and every page can show: one at a time, in a thread of their own.

Streamlit draws a page again at each click and stops the drawing before it. A computation that must finish
(learning from a round, ranking the pool) therefore does not run inside a drawing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from alworkbench.core.errors import WorkbenchError
from alworkbench.core.progress import Progress
from alworkbench.core.unexpected import keep_trace, what_to_do

_log = logging.getLogger(__name__)


class JobStopped(BaseException):
    """Raised inside a computation, by its progress call, when the server is shutting down."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands: running while `finished_at` is None, failed when `error` is a text."""

    id: int
    title: str
    step: str
    done: int
    total: int
    started_at: float
    """Seconds of a monotonic clock, as is `finished_at`."""
    finished_at: float | None = None
    error: str | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.finished_at is None

    @property
    def fraction(self) -> float:
        """Share that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    def seconds(self, now: float | None = None) -> float:
        """How long it has run."""
        end = self.finished_at if self.finished_at is not None else (now or time.monotonic())
        return max(0.0, end - self.started_at)


class Jobs:
    """The computations of this process, one after the other."""

    def __init__(self, folder: Path | None = None) -> None:
        """Traces of unexpected errors go to the logs of the project in `folder`."""
        self._folder = folder
        self._lock = threading.Lock()
        self._view: JobView | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def latest(self) -> JobView | None:
        """The running job, or the last one that ended and was not dismissed."""
        with self._lock:
            return self._view

    def start(self, title: str, work: Callable[[Progress], object]) -> bool:
        """Run `work(progress)` in a thread; False when another job is still running."""
        with self._lock:
            if self._stopping or (self._view is not None and self._view.running):
                return False
            number = 1 if self._view is None else self._view.id + 1
            self._view = JobView(number, title, title, 0, 0, time.monotonic())
            self._thread = threading.Thread(
                target=self._run, args=(work,), name=f"alworkbench-job-{number}", daemon=True
            )
            self._thread.start()
        return True

    def wait(self, timeout: float | None = None) -> None:
        """Until the running job has ended, or `timeout` seconds have passed."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def stop(self, timeout: float) -> None:
        """Ask the running job to stop at its next progress call, and wait for that."""
        with self._lock:
            self._stopping = True
        self.wait(timeout)

    def _run(self, work: Callable[[Progress], object]) -> None:
        error: str | None = None
        try:
            work(self._progress)
        except JobStopped:
            error = "It was stopped because the server was shut down. Start it again."
        except WorkbenchError as problem:
            error = str(problem)
        except Exception as problem:
            _log.exception("a computation started from the browser failed")
            trace = keep_trace(problem, self._folder)
            error = "An unexpected error stopped it. Your labels are kept. " + what_to_do(
                trace, "Start it again"
            )
        with self._lock:
            if self._view is not None:
                self._view = replace(self._view, finished_at=time.monotonic(), error=error)

    def _progress(self, step: str, done: int, total: int) -> None:
        with self._lock:
            if self._stopping:
                raise JobStopped
            if self._view is not None:
                self._view = replace(self._view, step=step, done=done, total=total)
