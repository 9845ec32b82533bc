"""Files worked through by processes: one that hangs or ends its process costs itself alone.

A process answers one file after the other, in the order of the files, and hands large pictures back. These
are decoded when the others of their group are done, one at a time for the whole program, so that the memory
stays near the limit for one picture. The time limit of each file begins when the file before it is
answered.

The files are not trusted, so the answers of a process are never unpickled: they are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from multiprocessing import ProcessError
from multiprocessing.connection import Connection
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.worker_process import READY, WorkerPool, WorkerProcess, ending
from alworkbench.inputs.decode_limits import (
    MAX_MEMORY,
    LargePicture,
    limit_address_space,
    room_for,
)

LARGE = {"large": True}
"""The answer that hands a picture back."""
LONGEST_ANSWER = 1 << 20  # bytes


@runtime_checkable
class FileTask(Protocol):
    """A file to work on: a frozen dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def path(self) -> str:
        """Absolute, or relative to the working folder."""
        ...

    @property
    def large_too(self) -> bool:
        """Whether the file is to be worked on if it is a large picture, too."""
        ...


Task = TypeVar("Task", bound=FileTask)
Found = TypeVar("Found")


class Crashing(Exception):
    """So many files in a row ended their process that more than the files must be wrong."""

    def __init__(self, path: str, crashes: int) -> None:
        super().__init__(path)
        self.path, self.crashes = path, crashes


class PictureWorker(WorkerProcess, Generic[Task, Found]):
    """A process that answers each file with JSON."""

    def read(self, answer: dict[str, Any], task: Task, position: int) -> Found:
        """What an answer says; `position` is that of the task in its group. Raises ValueError, KeyError."""
        raise NotImplementedError

    def answers(self, tasks: Sequence[Task], timeout: float) -> Iterator[Found | None]:
        """In the order of the tasks; None for a large picture that is handed back.

        Raises TimeoutError, EOFError, OSError, ValueError, KeyError, TypeError.
        """
        self.line.send_bytes(json.dumps([asdict(task) for task in tasks]).encode())
        for position, task in enumerate(tasks):
            if not self.line.poll(timeout):
                raise TimeoutError
            answer = json.loads(self.line.recv_bytes(LONGEST_ANSWER))
            yield None if answer == LARGE else self.read(answer, task, position)


def work_through(
    pool: WorkerPool[Any],
    tasks: Sequence[Task],
    *,
    timeout: float,
    refused: Callable[[Task, QuarantineCode, str], Found],
    most_crashes: int | None = None,
) -> list[Found]:
    """What the process of this thread finds for each task.

    `refused` makes the result of a file that takes longer than `timeout` seconds, or that ends the process.
    Raises WorkerEnded where a process does not start, Crashing after `most_crashes` in a row.
    """
    first = [replace(task, large_too=False) for task in tasks]
    found = _answers(pool, first, timeout, refused, most_crashes)
    for position, (task, each) in enumerate(zip(tasks, found, strict=True)):
        if each is None:
            with room_for(MAX_MEMORY):
                alone = [replace(task, large_too=True)]
                found[position] = _answers(pool, alone, timeout, refused, most_crashes)[0]
    return [each for each in found if each is not None]


def _answers(
    pool: WorkerPool[Any],
    tasks: Sequence[Task],
    timeout: float,
    refused: Callable[[Task, QuarantineCode, str], Found],
    most_crashes: int | None,
) -> list[Found | None]:
    found: list[Found | None] = []
    crashes = 0
    while len(found) < len(tasks):
        worker: PictureWorker[Task, Found] = pool.worker()
        try:
            for each in worker.answers(tasks[len(found) :], timeout):
                found.append(each)
                crashes = 0
        except TimeoutError:
            detail = f"not decoded in {timeout:g} s"
            found.append(refused(tasks[len(found)], QuarantineCode.TIMEOUT, detail))
            pool.dismiss()
        except (EOFError, OSError, ProcessError, ValueError, KeyError, TypeError) as error:
            crashes += 1
            task = tasks[len(found)]
            if crashes == most_crashes:
                raise Crashing(task.path, crashes) from error
            status = worker.exit_status()
            how = "gave an answer of no known form" if status is None else ending(status)
            detail = f"the process that decoded it {how}"
            found.append(refused(task, QuarantineCode.CRASH, detail))
            pool.dismiss()
    return found


def serve_files(
    line: Connection,
    kind: Callable[..., Task],
    answer: Callable[[Task, int], dict[str, Any]],
) -> None:
    """What a process does until the line is closed: answer each task of each group.

    `kind` makes a task of its values. `answer` gets a task and its position in its group, and may raise
    LargePicture.
    """
    limit_address_space()
    line.send_bytes(READY)
    while True:
        try:
            tasks = [kind(**values) for values in json.loads(line.recv_bytes())]
        except EOFError:
            return
        for position, task in enumerate(tasks):
            try:
                said = answer(task, position)
            except LargePicture:
                said = LARGE
            line.send_bytes(json.dumps(said).encode())
