"""Copies of test images in the pool: counted, so that a report can say how clean its split is.

Cosines of embeddings cannot tell copies from images that are merely alike: in the bundled sample, half
of the images without a copy have another at a cosine above 0.99, and a copy moved by one pixel may lie
below that. Two things help. Activations are whitened, since what tells two pictures of one kind apart
lies in directions of little variance. And an image is held against its own surroundings: a copy is much
nearer than the next image is (the ratio of Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94).

Share of test images said to have a copy, in dev collections, and in brackets by a cosine of 0.999
(`python -m tests.bench.near_duplicates`):

                                  sample       digits       glyphs
    no copies                     0.01 (0.00)  0.01 (0.00)  0.00 (0.00)
    brighter or darker            0.86 (0.24)  0.88 (0.27)  0.74 (0.26)
    saved again as JPEG           0.65 (0.01)  0.22 (0.00)  0.62 (0.07)
    a little noise                0.48 (0.01)  0.92 (0.04)  0.83 (0.13)
    moved by one pixel            0.37 (0.01)  0.01 (0.00)  0.47 (0.11)

So the count is a sign, not a proof: copies that the model sees as other pictures are not among it.

Dimensions used in this file
    n  images of the pool, m of the test part
    P  activation size
    R  directions that vary
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.features.table import FeatureTable

STANDS_OUT = 0.5
"""The nearest image of the pool is a copy where it is at most so far as the next, in 1 - cosine."""
SAME = 1e-3
"""Or so near: exact copies hide each other from the ratio."""
_LEAST_VARIANCE = 1e-4
"""Of the largest: directions that vary less hold rounding errors."""
_BLOCK = 2048


def near_duplicates(table: FeatureTable, pool: Int[Tensor, "n"], test: Int[Tensor, "m"]) -> int:
    """Images of the test part with a near-duplicate in the pool, by their activations.

    `pool` and `test` are rows of the table. Takes n m R operations; holds a few blocks of _BLOCK
    images and _BLOCK**2 numbers at once.
    """
    mean, whitening = _whitened(table, pool)
    found = 0
    for tested in _directions(table, test, mean, whitening):
        nearest = torch.full((len(tested), 2), torch.inf)
        for held in _directions(table, pool, mean, whitening):
            together = torch.cat([nearest, 1 - tested @ held.T], dim=1)
            nearest = together.topk(2, dim=1, largest=False).values
        first, second = nearest.T
        # A pool of one image has no second: nothing says how near is near.
        out = (first <= STANDS_OUT * second) & second.isfinite()
        found += int((out | (first <= SAME)).sum())
    return found


def _whitened(
    table: FeatureTable, rows: Int[Tensor, "n"]
) -> tuple[Float[Tensor, "P"], Float[Tensor, "P R"]]:
    """Mean of the activations, and the map that gives every direction of them the same variance."""
    size = table.gather(rows[:1]).activations.shape[1]
    total, outer = torch.zeros(size).double(), torch.zeros(size, size).double()
    for _, features in table.blocks(rows, _BLOCK):
        activations = features.activations.double()
        total += activations.sum(dim=0)
        outer += activations.T @ activations
    mean = total / len(rows)
    variances, directions = torch.linalg.eigh(outer / len(rows) - torch.outer(mean, mean))
    kept = variances > _LEAST_VARIANCE * variances[-1].clamp(min=0)
    return mean.float(), (directions[:, kept] / variances[kept].sqrt()).float()


def _directions(
    table: FeatureTable,
    rows: Int[Tensor, "n"],
    mean: Float[Tensor, "P"],
    whitening: Float[Tensor, "P R"],
) -> Iterator[Float[Tensor, "b R"]]:
    """Whitened activations of unit length, block by block."""
    for _, features in table.blocks(rows, _BLOCK):
        yield normalize((features.activations.float() - mean) @ whitening, dim=-1)
