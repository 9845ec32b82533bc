"""Worker processes that decode image files ahead of the tower, in the order of the files.

A decoder that crashes or hangs costs one image, and the tower does not share its interpreter lock.
A worker imports torch first (2 to 4 s); for small jobs `encode.py` therefore uses threads.

The files are not trusted, so the answers of a worker are never unpickled. It answers each file with
JSON, and writes the pixels into memory that both processes map.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing import ProcessError
from multiprocessing.connection import Connection
from typing import IO

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float32
from torch import Tensor

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import EncoderError
from alworkbench.core.prefetch import prefetch
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerPool, WorkerProcess
from alworkbench.features.decode import Decoded, Preprocess, Task, decode, refused
from alworkbench.features.entry import Entry

CHUNK = 8
"""Images that a worker receives at once, so that it seldom waits for the next message."""
MAX_CRASHES_IN_A_ROW = 5


def decode_apart(
    preprocess: Preprocess,
    tasks: Sequence[Task],
    *,
    workers: int,
    ahead: int,
    timeout: float,
) -> Generator[Decoded, None, None]:
    """Decode with worker processes, at most about `ahead` images before the one that is asked for.

    An image that takes longer than `timeout` seconds, or during which its worker ends, gets a code.
    Raises EncoderError when a worker cannot start, or when MAX_CRASHES_IN_A_ROW images end theirs.
    """
    shape = tuple(preprocess(PIL.Image.new("RGB", (16, 16))).shape)  # that of every picture
    pool = WorkerPool(partial(_Decoder, shape), (preprocess, shape))
    chunks = (tasks[at : at + CHUNK] for at in range(0, len(tasks), CHUNK))
    decoded = prefetch(
        partial(_decode_all, pool, timeout),
        chunks,
        threads=workers,
        ahead=max(ahead // CHUNK, workers),
    )
    try:
        for chunk in decoded:
            yield from chunk
    finally:
        pool.kill()  # also while images are being decoded
        decoded.close()
        pool.close()


def _decode_all(pool: WorkerPool[_Decoder], timeout: float, tasks: Sequence[Task]) -> list[Decoded]:
    """Have the worker of this thread decode these tasks; each gets a result."""
    found: list[Decoded] = []
    crashes = 0
    while len(found) < len(tasks):
        try:
            worker = pool.worker()
        except WorkerEnded as error:
            raise EncoderError(
                f"A decoding process {error}. It had not begun to work. "
                f"`alworkbench encode --workers 0` decodes without one."
            ) from error
        try:
            for each in worker.decode(tasks[len(found) :], timeout):
                found.append(each)
                crashes = 0
        except TimeoutError:
            found.append(_hung(tasks[len(found)], timeout))
            pool.dismiss()
        except (EOFError, OSError, ProcessError, ValueError, KeyError, TypeError) as error:
            crashes += 1
            if crashes == MAX_CRASHES_IN_A_ROW:
                raise _crashing(tasks[len(found)], crashes) from error
            found.append(_crashed(tasks[len(found)], worker))
            pool.dismiss()
    return found


def _hung(task: Task, timeout: float) -> Decoded:
    return Decoded(refused(task, QuarantineCode.TIMEOUT, f"not decoded in {timeout:g} s"), None)


def _crashed(task: Task, worker: WorkerProcess) -> Decoded:
    detail = f"the decoding process ended with it (exit status {worker.exit_status()})"
    return Decoded(refused(task, QuarantineCode.CRASH, detail), None)


def _crashing(task: Task, crashes: int) -> EncoderError:
    return EncoderError(
        f"{crashes} images in a row ended the process that decoded them, the last one {task.path}. "
        f"The machine may be out of memory: try `alworkbench encode --workers 1`. What was encoded "
        f"is kept."
    )


class _Decoder(WorkerProcess):
    """A decoding process, and the memory that it shares with this one."""

    def __init__(self, shape: tuple[int, ...], argument: bytes) -> None:
        self._shared = _shared_file(4 * CHUNK * math.prod(shape))
        self._slots = _shared_pixels(self._shared, shape)
        # It leaves the cores to the tower.
        super().__init__(serve, argument, self._shared.fileno(), variables={"OMP_NUM_THREADS": "1"})

    def decode(self, tasks: Sequence[Task], timeout: float) -> Iterator[Decoded]:
        """At most CHUNK tasks, in order. Raises TimeoutError, EOFError, OSError, ValueError."""
        self.line.send_bytes(json.dumps([asdict(task) for task in tasks]).encode())
        for slot, task in zip(self._slots, tasks, strict=False):
            if not self.line.poll(timeout):
                raise TimeoutError
            answer = json.loads(self.line.recv_bytes(1 << 20))
            code = None if answer["code"] is None else QuarantineCode(answer["code"])
            facts = {name: answer[name] for name in ("bytes", "modified_ns", "width", "height")}
            entry = Entry(task.hash, task.path, **facts, code=code, detail=answer["detail"])
            yield Decoded(entry, slot.clone() if code is None else None)

    def close(self) -> None:
        super().close()
        self._shared.close()


def _shared_file(size: int) -> IO[bytes]:
    """Memory that two processes may map; a file without a name where the system has nothing better.

    Not in /dev/shm, which containers keep small: to write past its end is no error but a signal.
    """
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = os.fdopen(os.memfd_create("alworkbench-pixels"), "r+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
    file.truncate(size)
    return file


def _shared_pixels(file: IO[bytes], shape: tuple[int, ...]) -> Float32[Tensor, "S 3 H W"]:
    """The slots that a worker writes pixels to and its employer reads them from."""
    return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(CHUNK, *shape)))


def serve(line: Connection, argument: tuple[Preprocess, tuple[int, ...]], shared: int) -> None:
    """What a worker does until the line is closed."""
    preprocess, shape = argument
    torch.set_num_threads(1)
    PIL.Image.init()  # or the first file of no known format waits for all of Pillow's plugins
    with os.fdopen(shared, "r+b") as file:
        slots = _shared_pixels(file, shape)
        line.send_bytes(READY)
        while True:
            try:
                tasks = [Task(**task) for task in json.loads(line.recv_bytes())]
            except EOFError:
                return
            for slot, task in zip(slots, tasks, strict=False):
                found = decode(preprocess, task)
                if found.pixels is not None:
                    slot.copy_(found.pixels)
                line.send_bytes(json.dumps(asdict(found.entry)).encode())
