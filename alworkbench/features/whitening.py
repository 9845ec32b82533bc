"""Activations in which every direction varies equally, so that small differences between pictures count.

The differences between two pictures of one kind lie in directions of low variance; a cosine of plain
activations hardly sees them.

Dimensions used in this file
    n  images that the variances are taken from
    B  images of a block
    P  activation size
    R  directions that vary
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.engines.engine import Engine, mapped, parts_alone
from alworkbench.features.feature_rows import FeatureRows
from alworkbench.features.table import FeatureTable

LEAST_VARIANCE = 1e-4
"""Relative to the largest variance; directions below it hold rounding errors."""
BLOCK = 2048
PART_ROWS = 65_536
"""Images that are summed apart, here or by a worker."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What the sums over every part of the rows need."""

    table: FeatureRows
    block: int


def moments(
    work: Moments, rows: Int[Tensor, "m"]
) -> tuple[Float[Tensor, "P"], Float[Tensor, "P P"]]:
    """Sums over some of the rows, float64: of the activations, and of their outer products."""
    size = work.table.gather(rows[:1]).activations.shape[1]
    total, outer = torch.zeros(size).double(), torch.zeros(size, size).double()
    for _, features in work.table.blocks(rows, work.block):
        activations = features.activations.double()
        total += activations.sum(dim=0)
        outer += activations.T @ activations
    return total, outer


@dataclass(frozen=True, slots=True)
class Whitening:
    """Mean of the activations, and the linear map that gives every direction unit variance."""

    mean: Float[Tensor, "P"]
    matrix: Float[Tensor, "P R"]

    @classmethod
    def of(
        cls,
        table: FeatureTable,
        rows: Int[Tensor, "n"],
        block: int = BLOCK,
        engine: Engine | None = None,
    ) -> Whitening:
        """Of the images in these rows, at least one. Takes n P^2 operations.

        An `engine` sums parts of the rows; they are added in the same order. Raises EngineError.
        """
        parts, what = rows.split(PART_ROWS), "taking the variances of the features"
        work = Moments(table.without_names(), block)
        sums = (
            (moments(work, part) for part in parts)
            if engine is None
            else mapped(engine, moments, work, parts_alone(parts), what)
        )
        total, outer = next(sums)
        for more_total, more_outer in sums:
            total += more_total
            outer += more_outer
        mean = total / len(rows)
        variances, directions = torch.linalg.eigh(outer / len(rows) - torch.outer(mean, mean))
        kept = variances > LEAST_VARIANCE * variances[-1].clamp(min=0)
        return cls(mean.float(), (directions[:, kept] / variances[kept].sqrt()).float())

    def directions(
        self, table: FeatureRows, rows: Int[Tensor, "n"], block: int = BLOCK
    ) -> Iterator[Float[Tensor, "B R"]]:
        """Whitened activations of unit length, block by block."""
        for _, features in table.blocks(rows, block):
            moved = (features.activations.float() - self.mean) @ self.matrix
            yield normalize(moved, dim=-1)
