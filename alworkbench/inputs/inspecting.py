"""Files inspected by decoding processes: hash, size and depth of each, or why it is no usable picture."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import PIL.Image

from alworkbench.core.domain import Depth, QuarantineCode
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.prefetch import prefetch
from alworkbench.core.worker_process import WorkerEnded, WorkerPool, cores
from alworkbench.inputs.decode_limits import MAX_SECONDS
from alworkbench.inputs.picture import Inspection, Undecodable, inspect_file
from alworkbench.inputs.picture_workers import PictureWorker, serve_files, work_through

CHUNK = 16
"""Files that a process receives at once, so that it seldom waits for the next message."""
MOST_WORKERS = 16


@dataclass(frozen=True, slots=True)
class InspectTask:
    """A file to inspect."""

    path: str
    white: int | None = None
    """The white point of the project."""
    large_too: bool = True


Outcome = Inspection | Undecodable


def inspect_files(
    paths: Iterable[Path],
    *,
    white: int | None = None,
    workers: int | None = None,
    timeout: float = MAX_SECONDS,
) -> Generator[Outcome, None, None]:
    """What `inspect_file` gives or raises for each file, in their order.

    A file that takes longer than `timeout` seconds, or that ends its process, is Undecodable. `workers` is
    the number of processes, by default that of the processors; each starts when it has work. Raises
    UnreadableSource where none can be started.
    """
    number = workers or min(cores(), MOST_WORKERS)
    pool = WorkerPool(_Inspector, None)
    inspected = prefetch(
        partial(work_through, pool, timeout=timeout, refused=_refused),
        _chunks(InspectTask(str(path), white) for path in paths),
        threads=number,
        ahead=2 * number,
    )
    try:
        for chunk in inspected:
            yield from chunk
    except WorkerEnded as error:
        raise UnreadableSource(
            f"A decoding process {error}. It had not begun to work. Nothing was imported. End other "
            f"programs to free memory, then run `alworkbench import` again."
        ) from error
    finally:
        pool.kill()  # also while files are being decoded
        inspected.close()
        pool.close()


def _chunks(tasks: Iterator[InspectTask]) -> Iterator[list[InspectTask]]:
    """Groups of tasks: small ones first, so that several processes share the work of a small folder."""
    size = 4
    while chunk := list(islice(tasks, size)):
        yield chunk
        size = min(CHUNK, size + 4)


def _refused(task: InspectTask, code: QuarantineCode, detail: str) -> Outcome:
    return Undecodable(code, detail)


class _Inspector(PictureWorker[InspectTask, Outcome]):
    def __init__(self, argument: bytes) -> None:
        super().__init__(serve, argument, variables={"OMP_NUM_THREADS": "1"})

    def read(self, answer: dict[str, Any], task: InspectTask, position: int) -> Outcome:
        if "code" in answer:
            return Undecodable(QuarantineCode(answer["code"]), str(answer["detail"]))
        depth = answer.pop("depth")
        return Inspection(**answer, depth=None if depth is None else Depth(**depth))


def serve(line: Connection, _: None) -> None:
    """What an inspecting process does until the line is closed."""
    PIL.Image.init()  # or the first file of no known format waits for all of Pillow's plugins

    def answer(task: InspectTask, position: int) -> dict[str, Any]:
        try:
            found = inspect_file(Path(task.path), task.white, large_too=task.large_too)
        except Undecodable as error:
            return {"code": error.code, "detail": error.detail}
        except MemoryError:
            return {"code": QuarantineCode.BOMB, "detail": "it does not fit into memory"}
        return asdict(found)

    serve_files(line, InspectTask, answer)
