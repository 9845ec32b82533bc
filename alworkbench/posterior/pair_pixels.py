"""The pictures of image-caption pairs as pixels: in threads, or in a process that a picture may end."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alworkbench.core.errors import EncoderError
from alworkbench.core.prefetch import prefetch
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerPool, WorkerProcess, ending
from alworkbench.features.decode import Preprocess
from alworkbench.features.decode_workers import MAX_CRASHES_IN_A_ROW
from alworkbench.inputs.decode_limits import MAX_SECONDS, limit_address_space
from alworkbench.inputs.pairs import Pair
from alworkbench.inputs.picture import Undecodable, read_image
from alworkbench.inputs.picture_workers import LONGEST_ANSWER

AHEAD = 256
"""Images that are decoded in advance."""
MOST_BYTES = 64 << 20
"""Of the pixels of one picture: 4 for each of 3 x 2,364 x 2,364, and towers see 1,024 x 1,024 at most."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A pair whose picture was decoded."""

    pixels: Tensor | None
    """Input of the tower; None for an image that cannot be read."""
    caption: str
    problem: str = ""


def decoded(
    preprocess: Preprocess, pairs: Iterator[Pair], threads: int
) -> Generator[Decoded, None, None]:
    """Pixels in the order of the pairs; threads decode up to AHEAD images in advance."""
    return prefetch(partial(_decode, preprocess), pairs, threads=threads, ahead=AHEAD)


def decoded_apart(preprocess: Preprocess, pairs: Iterator[Pair]) -> Generator[Decoded, None, None]:
    """The same, one after the other in a process that a picture may end. Such a picture is unreadable.

    Raises EncoderError where the process cannot start, or where MAX_CRASHES_IN_A_ROW pictures end it.
    """
    start = partial(WorkerProcess, serve_pairs, variables={"OMP_NUM_THREADS": "1"})
    pool, crashes = WorkerPool(start, preprocess), 0
    try:
        for pair in pairs:
            worker = pool.worker()
            try:
                yield _answered(worker.line, pair)
                crashes = 0
            except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
                status = None if isinstance(error, TimeoutError) else worker.exit_status()
                if isinstance(error, TimeoutError):
                    how = f"did not end in {MAX_SECONDS:g} s"
                else:
                    how = "gave no answer that can be read" if status is None else ending(status)
                pool.dismiss()
                crashes += 1
                problem = f"{_named(pair)}: the process that decoded it {how}"
                if crashes == MAX_CRASHES_IN_A_ROW:
                    raise EncoderError(
                        f"{crashes} pictures in a row ended the process that decoded them. {problem}"
                    ) from error
                yield Decoded(None, pair.caption, problem)
    except WorkerEnded as error:
        raise EncoderError(f"A decoding process {error}. It had not begun to work.") from error
    finally:
        pool.close()


def _answered(line: Connection, pair: Pair) -> Decoded:
    """Raises EOFError, OSError and TimeoutError, and ValueError, KeyError and TypeError for another answer.

    Pictures are not trusted: no answer is unpickled, and none is longer than a picture may be.
    """
    line.send(pair)
    if not line.poll(MAX_SECONDS):
        raise TimeoutError
    said = json.loads(line.recv_bytes(LONGEST_ANSWER))
    if said["shape"] is None:
        return Decoded(None, pair.caption, str(said["problem"]))
    numbers = np.frombuffer(bytearray(line.recv_bytes(MOST_BYTES)), np.float32)
    return Decoded(torch.from_numpy(numbers.reshape(said["shape"])), pair.caption)


def serve_pairs(line: Connection, preprocess: Preprocess) -> None:
    """What a decoding process does until the line is closed: shape or problem of each pair, then pixels."""
    torch.set_num_threads(1)
    limit_address_space()
    line.send_bytes(READY)
    while True:
        try:
            pair = line.recv()
        except EOFError:
            return
        found = _decode(preprocess, pair)
        shape = None if found.pixels is None else list(found.pixels.shape)
        line.send_bytes(json.dumps({"shape": shape, "problem": found.problem}).encode())
        if found.pixels is not None:
            line.send_bytes(found.pixels.float().contiguous().numpy().tobytes())


def _decode(preprocess: Preprocess, pair: Pair) -> Decoded:
    if isinstance(pair.image, Path) and not pair.image.is_file():  # nor a device, nor a pipe
        return Decoded(None, pair.caption, f"there is no file {pair.image}")
    try:
        return Decoded(preprocess(read_image(pair.image)), pair.caption)
    except Undecodable as error:
        return Decoded(None, pair.caption, f"{_named(pair)}: {error.detail}")


def _named(pair: Pair) -> str:
    return str(pair.image) if isinstance(pair.image, Path) else f"the picture of {pair.caption!r}"
