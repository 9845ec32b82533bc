"""The process that computes for the server: it opens the project once, and runs one job after the other.

A computation in the process of the server would slow down every answer, and a crash in it would end the
server. The worker starts with the first job and stays, so that later jobs start at once.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from alworkbench.api import open_project
from alworkbench.core.domain import Job
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerProcess, packed
from alworkbench.project.job_orders import perform

_LOOK = 0.5
"""Seconds between two looks whether the worker still runs."""
_DONE = b"done"
_LONGEST = 32
"""Bytes of the number of a job at most."""
_log = logging.getLogger(__name__)


class JobWorker:
    """Runs jobs of one project in a process of its own. One thread uses it; any thread may close it."""

    def __init__(self, folder: Path, device: str) -> None:
        self._argument = packed((str(folder.resolve()), device))
        self._process: WorkerProcess | None = None

    def __call__(self, job: Job) -> None:
        """Run a job to its end. Raises WorkerEnded where the process ends before that."""
        process = self._process
        if process is None or process.has_ended():
            self.close()
            process = self._process = WorkerProcess(work, self._argument)
            process.await_ready()
        try:
            process.line.send_bytes(b"%d" % job.id)
            while not process.line.poll(_LOOK):
                if process.has_ended():
                    raise process.ended()
            process.line.recv_bytes(len(_DONE))
        except (EOFError, OSError) as problem:
            raise process.ended() from problem

    def kill(self) -> None:
        """End the process at once; whoever waits for a job is told that it has ended."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process and let go of it."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


def work(line: Connection, argument: tuple[str, str]) -> None:
    """What the worker process runs: jobs by their numbers, until the line is closed."""
    folder, device = argument
    with open_project(folder, device=device, asked_by="the server") as workbench:
        line.send_bytes(READY)
        while True:
            try:
                job_id = int(line.recv_bytes(_LONGEST))
            except EOFError:
                return
            with suppress(WorkbenchError):  # its reason is recorded
                perform(workbench, workbench.jobs.get(job_id))
            line.send_bytes(_DONE)


__all__ = ["JobWorker", "WorkerEnded"]
