"""The processes that compute for the server: each opens the project once, and runs one job after the other.

A computation in the process of the server would slow down every answer, and a crash in it would end the
server. Each lane of jobs (`core.domain.jobs.LANES`) has a worker, so that hours of encoding delay no round.
A worker starts with the first job of its lane and stays, so that later jobs start at once.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from alworkbench.api import further_orders, open_project
from alworkbench.core.domain import LANE_OF, LANES, Job, JobKind
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerProcess, packed
from alworkbench.project.job_orders import perform

_LOOK = 0.5
"""Seconds between two looks whether the worker still runs."""
_DONE = b"done"
_LONGEST = 32
"""Bytes of the number of a job at most."""
_POLITE = 10
"""Of 19: how much a worker lets other processes go first that do not compute for a round."""
_log = logging.getLogger(__name__)


class JobWorker:
    """Runs jobs of one project in processes of their own, one for each lane.

    One thread runs the jobs of a lane; any thread may end the processes.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._lanes = [_LaneWorker(folder, device, lane) for lane in range(len(LANES))]

    def __call__(self, job: Job) -> None:
        """Run a job to its end. Raises WorkerEnded where the process ends before that."""
        self._lanes[LANE_OF[job.kind]](job)

    def kill(self) -> None:
        """End the processes at once; whoever waits for a job is told that it has ended."""
        for lane in self._lanes:
            lane.kill()

    def close(self) -> None:
        """End the processes and let go of them."""
        for lane in self._lanes:
            lane.close()


class _LaneWorker:
    def __init__(self, folder: Path, device: str, lane: int) -> None:
        self._argument = packed((str(folder.resolve()), device, lane))
        self._process: WorkerProcess | None = None

    def __call__(self, job: Job) -> None:
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
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


def work(line: Connection, argument: tuple[str, str, int]) -> None:
    """What the worker process runs: jobs by their numbers, until the line is closed."""
    folder, device, lane = argument
    if lane != LANE_OF[JobKind.LEARN] and hasattr(os, "nice"):
        os.nice(_POLITE)  # people wait for a round, and not for the jobs of this lane
    with open_project(folder, device=device, asked_by="the server") as workbench:
        line.send_bytes(READY)
        while True:
            try:
                job_id = int(line.recv_bytes(_LONGEST))
            except EOFError:
                return
            with suppress(WorkbenchError):  # its reason is recorded
                perform(workbench, workbench.jobs.get(job_id), further_orders())
            line.send_bytes(_DONE)


__all__ = ["JobWorker", "WorkerEnded"]
