"""The number of test images with a near-duplicate in the pool, for reports.

A threshold on the cosine of embeddings cannot separate copies from similar images: in the bundled sample,
half of the images without a copy have a neighbour with a cosine above 0.99, and a copy that is moved by
one pixel may lie below that. Two steps help. Activations are whitened, because the differences between
two pictures of one kind lie in directions of low variance. And the ratio test of Lowe (2004,
doi:10.1023/B:VISI.0000029664.99615.94) is used: the nearest image is a copy if it is much nearer than the
second.

Share of test images that are counted, in dev collections; in brackets with a cosine threshold of 0.999
(`python -m tests.bench.near_duplicates`):

                                  sample       digits       glyphs
    no copies                     0.01 (0.00)  0.01 (0.00)  0.00 (0.00)
    brighter or darker            0.86 (0.24)  0.88 (0.27)  0.74 (0.26)
    saved again as JPEG           0.65 (0.01)  0.22 (0.00)  0.62 (0.07)
    a little noise                0.48 (0.01)  0.92 (0.04)  0.83 (0.13)
    moved by one pixel            0.37 (0.01)  0.01 (0.00)  0.47 (0.11)

The count is an indication: copies whose features differ much are missed.

Dimensions used in this file
    n  images of the pool, m of the test part
    R  directions that vary
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.features.table import FeatureTable
from alworkbench.features.whitening import BLOCK, Whitening

STANDS_OUT = 0.5
"""Ratio of the distances (1 - cosine) to the nearest and the second image; up to it the nearest is a copy."""
SAME = 1e-3
"""Distance up to which the nearest image is a copy whatever the ratio: two equal copies have ratio 1."""


def near_duplicates(
    table: FeatureTable, pool: Int[Tensor, "n"], test: Int[Tensor, "m"], block: int = BLOCK
) -> int:
    """Number of test images with a near-duplicate in the pool, from whitened activations.

    `pool` and `test` are rows of the table. Takes n m R operations; memory holds a few blocks of `block`
    images, and its square of numbers.
    """
    whitening = Whitening.of(table, pool, block)
    found = 0
    for tested in whitening.directions(table, test, block):
        nearest = torch.full((len(tested), 2), torch.inf)
        for held in whitening.directions(table, pool, block):
            together = torch.cat([nearest, 1 - tested @ held.T], dim=1)
            nearest = together.topk(2, dim=1, largest=False).values
        first, second = nearest.T
        # A pool of one image has no second neighbour, so there is no ratio.
        out = (first <= STANDS_OUT * second) & second.isfinite()
        found += int((out | (first <= SAME)).sum())
    return found
