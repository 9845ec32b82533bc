"""From files to the pixels that a tower takes.

`decode_here` uses threads of this process. Run as a program, this module is a worker process of
`decoding_pool.py`: it takes lists of files as JSON, answers each file with JSON, and leaves the
pixels in shared memory; only the preprocessing, our own program's, travels as a pickle.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import stat
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float32
from torch import Tensor

from alworkbench.core.domain import QuarantineCode
from alworkbench.features.entry import Entry
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes, read_image

Preprocess = Callable[[PIL.Image.Image], Tensor]

MAX_ASPECT = 200
"""Longer side by shorter side. Resizing the shorter one to the tower's size must stay affordable."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file to decode, which must have this content."""

    hash: str
    path: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a task: pixels, or an entry with a code."""

    entry: Entry
    pixels: Float32[Tensor, "3 H W"] | None


def decode(preprocess: Preprocess, task: Task) -> Decoded:
    """Read, check, decode and preprocess one file. Never raises for what a file may do."""
    known: dict[str, Any] = {}
    try:
        status = _plain_file(Path(task.path))
        known = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        data = read_bytes(Path(task.path))
        if content_hash(data) != task.hash:
            raise Undecodable(QuarantineCode.IO, "changed on disk since it was imported")
        picture = read_image(data)
        known |= {"width": picture.width, "height": picture.height}
        if max(picture.size) > MAX_ASPECT * min(picture.size):
            detail = f"{picture.width} x {picture.height} pixels are too long a strip to resize"
            raise Undecodable(QuarantineCode.BOMB, detail)
        pixels = preprocess(picture)
    except Undecodable as error:
        entry = Entry(task.hash, task.path, **known, code=error.code, detail=error.detail)
        return Decoded(entry, None)
    except MemoryError:
        detail = "it does not fit into memory"
        return Decoded(refused(task, QuarantineCode.BOMB, detail), None)
    return Decoded(Entry(task.hash, task.path, **known), pixels)


def _plain_file(path: Path) -> os.stat_result:
    """A pipe, say, would make its reader wait for ever."""
    try:
        status = path.stat()
    except OSError as error:
        raise Undecodable(QuarantineCode.IO, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise Undecodable(QuarantineCode.IO, "it is no plain file")
    return status


def refused(task: Task, code: QuarantineCode, detail: str) -> Entry:
    """The entry of a file that was not decoded, with the reason."""
    return Entry(task.hash, task.path, code=code, detail=detail)


def decode_here(
    preprocess: Preprocess, tasks: Sequence[Task], *, threads: int, ahead: int
) -> Generator[Decoded, None, None]:
    """Decode with threads, at most `ahead` images before the one that is asked for."""
    waiting: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for task in tasks:
            waiting.append(pool.submit(decode, preprocess, task))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def shared_pixels(file: IO[bytes], slots: int, shape: Sequence[int]) -> Float32[Tensor, "S 3 H W"]:
    """The slots that a worker writes pixels to and its employer reads them from."""
    return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(slots, *shape)))


def serve(line_descriptor: int, shared_descriptor: int) -> None:
    """What a worker does until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    torch.set_num_threads(1)
    with Connection(line_descriptor) as line, os.fdopen(shared_descriptor, "r+b") as file:
        preprocess = pickle.loads(line.recv_bytes())
        slots = shared_pixels(file, *json.loads(line.recv_bytes()))
        PIL.Image.init()  # or the first file of no known format waits for all of Pillow's plugins
        line.send_bytes(b"ready")
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


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
