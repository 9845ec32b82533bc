"""Worker processes that decode image files ahead of the tower, in the order of the files.

A decoder that crashes or hangs costs one image, and the tower does not share its interpreter lock.
A worker imports torch first (2 to 4 s); for small jobs `encode.py` therefore uses threads.

The pixels are written into memory that both processes map; `inputs.picture_workers` says how files are
handed out and answered.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection
from typing import IO, Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float32
from torch import Tensor

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import EncoderError
from alworkbench.core.prefetch import prefetch
from alworkbench.core.worker_process import WorkerEnded, WorkerPool
from alworkbench.features.decode import Decoded, Preprocess, Task, decode, refused
from alworkbench.features.entry import Entry
from alworkbench.inputs.picture_workers import (
    Crashing,
    PictureWorker,
    serve_files,
    work_through,
)

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
        partial(
            work_through,
            pool,
            timeout=timeout,
            refused=_refused,
            most_crashes=MAX_CRASHES_IN_A_ROW,
        ),
        chunks,
        threads=workers,
        ahead=max(ahead // CHUNK, workers),
    )
    try:
        for chunk in decoded:
            yield from chunk
    except WorkerEnded as error:
        raise EncoderError(
            f"A decoding process {error}. It had not begun to work. "
            f"`alworkbench encode --workers 0` decodes without one."
        ) from error
    except Crashing as error:
        raise EncoderError(
            f"{error.crashes} images in a row ended the process that decoded them, the last one "
            f"{error.path}. The machine may be out of memory: try `alworkbench encode --workers 1`. What was "
            f"encoded is kept."
        ) from error
    finally:
        pool.kill()  # also while images are being decoded
        decoded.close()
        pool.close()


def _refused(task: Task, code: QuarantineCode, detail: str) -> Decoded:
    return Decoded(refused(task, code, detail), None)


class _Decoder(PictureWorker[Task, Decoded]):
    """A decoding process, and the memory that it shares with this one."""

    def __init__(self, shape: tuple[int, ...], argument: bytes) -> None:
        self._shared = _shared_file(4 * CHUNK * math.prod(shape))
        self._slots = _shared_pixels(self._shared, shape)
        # It leaves the cores to the tower.
        super().__init__(serve, argument, self._shared.fileno(), variables={"OMP_NUM_THREADS": "1"})

    def read(self, answer: dict[str, Any], task: Task, position: int) -> Decoded:
        code = None if answer["code"] is None else QuarantineCode(answer["code"])
        facts = {name: answer[name] for name in ("bytes", "modified_ns", "width", "height")}
        entry = Entry(task.hash, task.path, **facts, code=code, detail=answer["detail"])
        return Decoded(entry, self._slots[position].clone() if code is None else None)

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

        def answer(task: Task, position: int) -> dict[str, Any]:
            found = decode(preprocess, task)
            if found.pixels is not None:
                slots[position].copy_(found.pixels)
            return asdict(found.entry)

        serve_files(line, Task, answer)
