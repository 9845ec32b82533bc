"""What open pages watch: rounds and jobs, read once for all pages."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench
    from ui.jobs import Jobs

SHARED_SECONDS = 1.0
"""So long one reading serves all pages."""

Marker = tuple[int | None, int | None, bool, int | None, bool]
"""The open round, the newest job that is shown, whether it runs, a preparation that failed, and whether the
next round is ready."""


class Markers:
    """Reads the marker; for several threads."""

    def __init__(self, workbench: Workbench, jobs: Jobs) -> None:
        self._workbench = workbench
        self._jobs = jobs
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._newest: Marker = (None, None, False, None, False)

    def now(self) -> Marker:
        """As it is at this moment."""
        with self._lock:
            return self._read()

    def lately(self) -> Marker:
        """As it was at most `SHARED_SECONDS` ago, and never older than what `now` gave before."""
        with self._lock:
            fresh = self._read_at is not None and time.monotonic() < self._read_at + SHARED_SECONDS
            return self._newest if fresh else self._read()

    def _read(self) -> Marker:
        current, job = self._workbench.rounds.current(), self._jobs.latest()
        failed = self._workbench.prepared.failed()
        self._newest = (
            None if current is None else current.id,
            None if job is None else job.job.id,
            job is not None and job.running,
            None if failed is None else failed.id,
            self._workbench.prepared.kept() is not None,
        )
        self._read_at = time.monotonic()
        return self._newest
