"""Decode image files into the pixels that an image tower takes, in threads of this process.

`decode_workers.py` does the same in worker processes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import PIL.Image
from jaxtyping import Float32
from torch import Tensor

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.prefetch import prefetch
from alworkbench.features.entry import Entry
from alworkbench.inputs.decode_limits import room_for
from alworkbench.inputs.decoding import Opened, open_picture
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes

Preprocess = Callable[[PIL.Image.Image], Tensor]

MAX_ASPECT = 200
"""Longer side by shorter side. Resizing the shorter one to the tower's size must stay affordable."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file to decode, which must have this content."""

    hash: str
    path: str
    white: int | None = None
    """The white point of the project, for files of 16 bits that do not say what is white."""
    large_too: bool = True
    """Whether it is decoded if it is a large picture, too."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result of a task: pixels, or an entry with the code of a fault."""

    entry: Entry
    pixels: Float32[Tensor, "3 H W"] | None


def decode(preprocess: Preprocess, task: Task) -> Decoded:
    """Read, check, decode and preprocess one file. A bad file gives a code and never an exception.

    Raises LargePicture for a large one that is not to be decoded now.
    """
    known: dict[str, Any] = {}
    try:
        status = _plain_file(Path(task.path))
        known = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        opened = _open(task)
        with room_for(opened.memory, large_too=task.large_too):
            picture = opened.read(task.white).rgb
            known |= {"width": picture.width, "height": picture.height}
            _refuse_strip(picture)
            pixels = preprocess(picture)
    except Undecodable as error:
        entry = Entry(task.hash, task.path, **known, code=error.code, detail=error.detail)
        return Decoded(entry, None)
    except MemoryError:
        detail = "it does not fit into memory"
        return Decoded(refused(task, QuarantineCode.BOMB, detail), None)
    return Decoded(Entry(task.hash, task.path, **known), pixels)


def read_picture(task: Task) -> PIL.Image.Image:
    """The picture of a file with all checks of `decode`. Raises Undecodable."""
    _plain_file(Path(task.path))
    opened = _open(task)
    with room_for(opened.memory):
        picture = opened.read(task.white).rgb
    _refuse_strip(picture)
    return picture


def _open(task: Task) -> Opened:
    data = read_bytes(Path(task.path))
    if content_hash(data) != task.hash:
        raise Undecodable(QuarantineCode.IO, "changed on disk since it was imported")
    return open_picture(data)


def _refuse_strip(picture: PIL.Image.Image) -> None:
    if max(picture.size) > MAX_ASPECT * min(picture.size):
        detail = f"{picture.width} x {picture.height} pixels are too long a strip to resize"
        raise Undecodable(QuarantineCode.BOMB, detail)


def _plain_file(path: Path) -> os.stat_result:
    """Refuse a pipe or a device, at which a reader would wait for ever."""
    try:
        status = path.stat()
    except OSError as error:
        raise Undecodable(QuarantineCode.IO, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise Undecodable(QuarantineCode.IO, "it is not a regular file")
    return status


def refused(task: Task, code: QuarantineCode, detail: str) -> Entry:
    """The entry of a file that was not decoded, with the reason."""
    return Entry(task.hash, task.path, code=code, detail=detail)


def decode_here(
    preprocess: Preprocess, tasks: Sequence[Task], *, threads: int, ahead: int
) -> Generator[Decoded, None, None]:
    """Decode with threads, at most `ahead` images before the one that is asked for."""
    return prefetch(partial(decode, preprocess), tasks, threads=threads, ahead=ahead)
