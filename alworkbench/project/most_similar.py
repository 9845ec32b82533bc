"""The most similar other image of each image: it has the largest cosine of whitened activations.

Near-copies of a picture stand out there, while images of one kind do not (`features.whitening`). With a
cosine of 0.7, 82 to 93 % of copies of the bundled sample that are brighter or saved again are found, and 5 %
of images without a copy. With a plain cosine of 0.99, it is 40 to 55 % and 43 %
(`python -m tests.bench near_copies`).

The search is exact. Blocks of images are compared in pairs, and each pair of blocks once, for the images of
both: N^2 R operations.

Dimensions used in this file
    N  images that have features
    n  images from the first one of a group on
    B  images of a block
    R  directions that vary
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.progress import Progress, silent
from alworkbench.engines.engine import Engine, mapped
from alworkbench.features.feature_rows import FeatureRows
from alworkbench.features.table import FeatureTable
from alworkbench.features.whitening import Whitening

_BLOCK = 4096
_GROUPS = 16
"""Groups of a small pool, so that every worker has something to do."""
_MOST_BLOCKS = 8
"""Blocks of a group. Its images are whitened once, those after them once for each group."""
_KEPT_NUMBERS = 1 << 28
"""Numbers of whitened activations that are kept in memory (1 GiB); of more images they are read again."""


def most_similar(
    table: FeatureTable,
    rows: Int[Tensor, "N"],
    progress: Progress = silent,
    engine: Engine | None = None,
) -> tuple[Float[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Cosine with the most similar other image, and its position.

    The only image of a table has itself, with cosine 0. Of equally similar ones, the first. The workers of an
    `engine` read the features themselves. Raises EngineError.
    """
    images = len(rows)
    if images < 2:
        return np.zeros(images, np.float32), np.arange(images)
    whitening = Whitening.of(table, rows, _BLOCK, engine)
    work = Comparison(table.without_names(), rows, whitening)
    groups = _groups(-(-images // _BLOCK))
    if engine is not None:
        found = mapped(engine, compare_group, work, groups, "comparing images")
    elif images * whitening.matrix.shape[1] <= _KEPT_NUMBERS:
        kept = list(work.blocks())
        found = (_compare(kept[slice(*group)], kept[group[1] :], group[0]) for group in groups)
    else:
        found = (compare_group(work, group) for group in groups)
    best, at = torch.full((images,), -torch.inf), torch.zeros(images, dtype=torch.long)
    pairs = 0
    # In their order: of equally similar images the first one stays.
    for (start, stop), (cosines, places) in zip(groups, found, strict=True):
        first = start * _BLOCK
        better = cosines > best[first:]
        best[first:] = torch.where(better, cosines, best[first:])
        at[first:] = torch.where(better, places, at[first:])
        last = min(stop * _BLOCK, images)
        pairs += (last - first) * (2 * images - first - last)
        progress("comparing images", round(pairs / images), images)
    return best.clamp(-1, 1).numpy(), at.numpy()


def _groups(blocks: int) -> list[tuple[int, int]]:
    """The first block of each group, and the one after its last."""
    size = min(_MOST_BLOCKS, max(1, blocks // _GROUPS))
    return [(k, min(k + size, blocks)) for k in range(0, blocks, size)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison of every group needs."""

    table: FeatureRows
    rows: Int[Tensor, "N"]
    whitening: Whitening

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Float[Tensor, "B R"]]:
        """Whitened activations of unit length of the images of these blocks."""
        stop = None if stop is None else stop * _BLOCK
        return self.whitening.directions(self.table, self.rows[start * _BLOCK : stop], _BLOCK)


def compare_group(
    work: Comparison, group: tuple[int, int]
) -> tuple[Float[Tensor, "n"], Int[Tensor, "n"]]:
    """`_compare` of the blocks of a group with each other and with all blocks after them."""
    start, stop = group
    return _compare(list(work.blocks(start, stop)), work.blocks(stop), start)


def _compare(
    ones: Sequence[Tensor], after: Iterable[Tensor], first: int
) -> tuple[Float[Tensor, "n"], Int[Tensor, "n"]]:
    """Compare consecutive blocks, `first` the number of the first one, with each other and with those after.

    Returns for each image from the first of these blocks on the largest cosine with another one, and its
    position: of images of the blocks after, only with images of `ones`.
    """
    best: list[Tensor] = []
    at: list[Tensor] = []

    def add(block: int, cosines: Tensor, other: int, along: int) -> None:
        value, place = cosines.max(dim=along)
        better = value > best[block]
        at[block] = torch.where(better, place + (first + other) * _BLOCK, at[block])
        best[block] = torch.where(better, value, best[block])

    for j, other in enumerate(chain(ones, after)):
        best.append(torch.full((len(other),), -torch.inf))
        at.append(torch.zeros(len(other), dtype=torch.long))
        for k, one in enumerate(ones[: j + 1]):
            cosines = one @ other.T
            if k == j:
                cosines.fill_diagonal_(-torch.inf)
            else:
                add(j, cosines, k, along=0)
            add(k, cosines, j, along=1)
    return torch.cat(best), torch.cat(at)
