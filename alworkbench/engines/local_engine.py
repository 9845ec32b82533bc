"""The local engine: worker processes of this machine."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from alworkbench import __version__
from alworkbench.core.errors import EngineError
from alworkbench.core.prefetch import prefetch
from alworkbench.core.worker_process import (
    READY,
    WorkerEnded,
    WorkerPool,
    WorkerProcess,
    cores,
    packed,
    unpacked,
)
from alworkbench.engines.engine import GROUPS_AHEAD, TRIES, GroupFailed, Shared
from alworkbench.engines.group_work import answer

Group = TypeVar("Group")
Result = TypeVar("Result")
Value = TypeVar("Value")


class LocalEngine:
    """Processes of `core.worker_process`, one for each processor if not said otherwise.

    They start when they are first needed (3 s, most of which is the import of torch), and then wait for the
    next call of `map_groups`. They end with the engine, with a call that is given up, and with a call for
    devices.
    """

    def __init__(self, processes: int | None = None) -> None:
        """Raises ValueError for less than one process."""
        if processes is not None and processes < 1:
            raise ValueError(f"an engine needs at least one process, found {processes}")
        self.processes = processes or cores()
        self._idle: deque[WorkerProcess] = deque()
        self._closed = False
        weakref.finalize(self, _end, self._idle)

    @property
    def name(self) -> str:
        """What `--engine` calls it."""
        return f"local:{self.processes}"

    def broadcast(self, value: Value) -> Shared[Value]:
        """The value itself; each worker receives it before its first group."""
        return Shared(value)

    def map_groups(
        self,
        function: Callable[[Value, Group], Result],
        shared: Shared[Value],
        groups: Sequence[Group],
        *,
        gpus: int = 0,
    ) -> Generator[Result | GroupFailed, None, None]:
        """As `Engine.map_groups` says. With `gpus`, each process sees one share of the devices."""
        devices = _devices(gpus) if gpus else []
        processes = min(self.processes, len(devices) or self.processes, max(1, len(groups)))
        places: dict[int, dict[str, str]] = {}

        def start(argument: bytes) -> WorkerProcess:
            variables = {"OMP_NUM_THREADS": "1"}
            if not devices:
                with suppress(IndexError):
                    while (waiting := self._idle.popleft()).has_ended():
                        waiting.close()
                    waiting.take_up(argument)
                    return waiting
            else:
                # A worker that ended is replaced on the same device.
                thread = threading.get_ident()
                free = {"CUDA_VISIBLE_DEVICES": devices[len(places) % len(devices)]}
                variables |= places.setdefault(thread, free)
            return WorkerProcess(serve, argument, variables=variables)

        pool = WorkerPool(start, Job(function, shared.handle, __version__, str(Path.cwd())))
        found = prefetch(
            partial(_run, pool), groups, threads=processes, ahead=GROUPS_AHEAD * processes
        )
        try:
            yield from found
            if not devices:
                self._keep(pool.release())
        except WorkerEnded as error:
            raise EngineError(f"A process of the local engine {error}.") from error
        finally:
            pool.kill()  # also while groups are being computed
            found.close()
            pool.close()

    def close(self) -> None:
        """End the workers that wait for another call. A call that goes on ends its own."""
        self._closed = True
        _end(self._idle)

    def _keep(self, workers: list[WorkerProcess]) -> None:
        """Let these wait for another call, at most as many as there are processes, without their value."""
        nothing = packed(Job(wait, None, __version__, ""))
        for each in workers:
            each.take_up(nothing)
            try:
                each.await_ready()
            except WorkerEnded:
                each.close()
            else:
                self._idle.append(each)
        with suppress(IndexError):  # other calls take from here
            while self._closed or len(self._idle) > self.processes:
                self._idle.popleft().close()

    def __enter__(self) -> LocalEngine:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _end(workers: deque[WorkerProcess]) -> None:
    while workers:
        workers.popleft().close()


def _devices(gpus: int) -> list[str]:
    """The CUDA devices of this process in shares of `gpus`. Raises EngineError for too few."""
    import torch

    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = listed.split(",") if listed else [str(k) for k in range(torch.cuda.device_count())]
    shares = [",".join(names[at : at + gpus]) for at in range(0, len(names) - gpus + 1, gpus)]
    if not shares:
        raise EngineError(
            f"Each part of this work needs {gpus} CUDA device, and this machine has {len(names)}. Name "
            f"another device (`--device cpu`)."
        )
    return shares


def _run(pool: WorkerPool[WorkerProcess], group: Any) -> Any:
    """The result of a group from the worker of this thread. Raises WorkerEnded where none can start."""
    said = ""
    for _ in range(TRIES):
        worker = pool.worker()
        try:
            worker.line.send_bytes(packed(group))
            done, found = unpacked(worker.line.recv_bytes())
        except (EOFError, OSError):
            said = f"its process {worker.ended()}"
            pool.dismiss()
        else:
            return found if done else GroupFailed(False, found)
    return GroupFailed(True, f"{said}. It was tried {TRIES} times")


def wait(value: None, group: None) -> None:
    """The function of a worker that waits for its next job."""


@dataclass(slots=True)
class Job:
    """What a worker computes until it receives another one."""

    function: Callable[[Any, Any], Any]
    value: Any
    version: str
    """Of the program."""
    folder: str
    """Its working folder."""


def serve(line: Connection, job: Job) -> None:
    """What a worker does until the line is closed: it answers each group, and takes up each job."""
    line.send_bytes(READY)
    while True:
        try:
            group = unpacked(line.recv_bytes())
        except EOFError:
            return
        if isinstance(group, Job):
            job.value = None  # whoever called this function holds its first job
            job = group
            line.send_bytes(READY)
            continue
        found = answer(job.function, job.value, group, job.version, job.folder)
        try:
            said = packed(found)
        except Exception as error:  # whatever the result's own methods for pickles raise
            said = packed((False, f"its result cannot be sent: {error}"))
        line.send_bytes(said)
        del group, found, said
