"""Rows of features by number, from the files of shards or from memory. Workers need no more of a table.

Rows are read with `pread` at their place in the file, not through a memory map. A file that is too short
then gives an error and does not kill the process, threads hide the latency of single rows, and memory
holds only the block that is asked for.

Dimensions used in this file
    N  images of the table
    M  rows asked for
    P  activation size
    D  embedding size
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.encoders.head import Features
from alworkbench.features.shard import Matrix

READERS = 16
"""Threads that read single rows: enough to keep the queue of a disk full."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """Consecutive rows of a table, in memory."""

    features: Features

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.features)

    def read(self, rows: Int[np.ndarray, "M"]) -> Features:
        """These rows, on the CPU in their own dtype. Numbers count within the part and must increase."""
        return self.features[torch.from_numpy(rows)]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Consecutive rows of a table, in the files of one shard."""

    activations: Matrix
    residuals: Matrix | None

    @property
    def rows(self) -> int:
        """Number of images."""
        return self.activations.rows

    def read(self, rows: Int[np.ndarray, "M"]) -> Features:
        """Features of these rows, read from the files."""
        residuals = None if self.residuals is None else read_rows(self.residuals, rows)
        return Features(read_rows(self.activations, rows), residuals)


Part = InMemory | OnDisk

DTYPES = {np.dtype(np.float16): torch.float16, np.dtype(np.float32): torch.float32}


class FeatureRows:
    """Features of many images, by row number, without their names. Small when pickled, if in files."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """`parts` hold the rows, one part after the other."""
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(part.rows for part in parts)])  # part k: starts[k]..[k+1]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def without_names(self) -> FeatureRows:
        """The same rows, for workers: the names of a large table take 64 bytes each."""
        return FeatureRows(self._parts)

    def gather(self, rows: Int[Tensor, "M"], device: torch.device | str = "cpu") -> Features:
        """The features of these rows, in their order, as fp32 on the device.

        It needs twice the memory of M x (P + D) numbers; use `blocks` for the whole table.
        """
        wanted = rows.cpu().numpy()
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(self)):
            raise IndexError(f"rows are 0 to {len(self) - 1}, found {wanted.min()}, {wanted.max()}")
        order = np.argsort(wanted, kind="stable")
        ordered = wanted[order]
        cuts = np.searchsorted(ordered, self._starts)
        pieces = [
            part.read(ordered[a:b] - start)
            for part, start, a, b in zip(
                self._parts, self._starts[:-1], cuts[:-1], cuts[1:], strict=True
            )
            if b > a
        ]
        return _assemble(pieces or self._nothing(), torch.from_numpy(order), torch.device(device))

    def _nothing(self) -> list[Features]:
        """No rows, of the table's widths."""
        none = np.zeros(0, np.int64)
        if self._parts:
            return [self._parts[0].read(none)]
        return [Features(torch.zeros(0, 0))]

    def blocks(
        self,
        rows: Int[Tensor, "M"] | None = None,
        block_rows: int = 8192,
        device: torch.device | str = "cpu",
    ) -> Iterator[tuple[Int[Tensor, "B"], Features]]:
        """(rows, features) in order, at most `block_rows` rows at a time; `rows=None` gives every row."""
        if block_rows < 1:
            raise ValueError(f"a block needs at least one row, found {block_rows}")
        total = len(self) if rows is None else len(rows)
        for start in range(0, total, block_rows):
            stop = min(start + block_rows, total)
            block = torch.arange(start, stop) if rows is None else rows[start:stop]
            yield block, self.gather(block, device)


def _assemble(
    pieces: Sequence[Features], order: Int[Tensor, "M"], device: torch.device
) -> Features:
    """Join pieces in order of rows, and put row i at position order[i].

    fp16 is sent to the device and becomes fp32 there: half the transfer, the same values.
    """
    in_order = bool((order == torch.arange(len(order))).all())
    target = None if in_order else order.to(device)
    activations = _join([piece.activations for piece in pieces], target, device)
    residuals = [piece.residuals for piece in pieces if piece.residuals is not None]
    return Features(activations, _join(residuals, target, device) if residuals else None)


def _join(parts: Sequence[Tensor], target: Int[Tensor, "M"] | None, device: torch.device) -> Tensor:
    moved = [part.to(device).to(torch.float32) for part in parts]
    joined = moved[0] if len(moved) == 1 else torch.cat(moved)
    return joined if target is None else torch.empty_like(joined).index_copy_(0, target, joined)


# --------------------------------------------------------------------------------- rows from a file


def read_rows(matrix: Matrix, rows: Int[np.ndarray, "M"]) -> Tensor:
    """Rows of a matrix on disk, in its dtype. Neighbouring rows are read together.

    Raises InvalidFeatureFile if the file is gone or shorter than it was.
    """
    target = torch.empty(len(rows), matrix.columns, dtype=DTYPES[matrix.dtype])
    if not rows.size:
        return target
    view = target.view(torch.uint8).numpy().data.cast("B")
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    starts, stops = [0, *breaks.tolist()], [*breaks.tolist(), len(rows)]
    size = matrix.row_bytes
    runs = [
        (view[start * size : stop * size], matrix.offset + row * size)
        for start, stop, row in zip(starts, stops, rows[starts].tolist(), strict=True)
    ]
    try:
        descriptor = os.open(matrix.path, os.O_RDONLY)
    except OSError as error:
        raise _damaged(matrix, str(error)) from error
    try:
        if len(runs) == 1:
            _read_runs(descriptor, runs, matrix)
        else:
            share = -(-len(runs) // READERS)
            with ThreadPoolExecutor(min(READERS, len(runs))) as pool:
                jobs = [
                    pool.submit(_read_runs, descriptor, runs[k : k + share], matrix)
                    for k in range(0, len(runs), share)
                ]
                for job in jobs:
                    job.result()
    finally:
        os.close(descriptor)
    return target


def _read_runs(descriptor: int, runs: Sequence[tuple[memoryview, int]], matrix: Matrix) -> None:
    for view, offset in runs:
        _read_fully(descriptor, view, offset, matrix)


def _read_fully(descriptor: int, target: memoryview, offset: int, matrix: Matrix) -> None:
    while len(target):
        try:
            count = os.preadv(descriptor, [target], offset)
        except OSError as error:
            raise _damaged(matrix, str(error)) from error
        if not count:
            raise _damaged(matrix, f"it ends before byte {offset + len(target)}")
        target, offset = target[count:], offset + count


def _damaged(matrix: Matrix, reason: str) -> InvalidFeatureFile:
    return InvalidFeatureFile(
        f"{matrix.path} cannot be read: {reason}. Delete the folder {matrix.path.parent} and run "
        f"`alworkbench encode`: it encodes the images of this shard again.",
        reason,
    )
