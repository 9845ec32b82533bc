"""Principal component analysis of many vectors, read block by block.

The covariance is exact and in double precision; memory holds one block and D^2 numbers. The sign of an axis
is free: here its entry of largest magnitude is positive, so that the same vectors always give the same axes.

Dimensions used in this file
    B  vectors of a block
    D  their size
    K  axes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The mean of the vectors, and the orthogonal directions in which they vary most."""

    mean: Float[np.ndarray, "D"]
    axes: Float[np.ndarray, "K D"]
    """Unit length, largest variance first; zeros where K is larger than D."""
    shares: Float[np.ndarray, "K"]
    """Share of the whole variance along each axis, 0 to 1."""

    @classmethod
    def of(cls, blocks: Iterable[Float[np.ndarray, "_ D"]], axes: int) -> PrincipalAxes:
        """The `axes` first principal axes. Takes B D^2 operations a block.

        Raises ValueError where the blocks hold no vector.
        """
        count, total, outer, origin = 0, np.zeros(0), np.zeros((0, 0)), np.zeros(0)
        for block in blocks:
            if not len(block):
                continue
            if count == 0:  # differences from one vector: a large common part costs no digits
                origin = block[0].astype(np.float64)
                total, outer = np.zeros(len(origin)), np.zeros((len(origin), len(origin)))
            moved = block.astype(np.float64) - origin
            total += moved.sum(axis=0)
            outer += moved.T @ moved
            count += len(block)
        if count == 0:
            raise ValueError("principal axes need at least one vector")
        shift = total / count
        variances, directions = np.linalg.eigh(outer / count - np.outer(shift, shift))
        kept = np.argsort(-variances, kind="stable")[:axes]
        found = np.zeros((axes, len(origin)))
        found[: len(kept)] = directions[:, kept].T
        largest = np.abs(found).argmax(axis=1)
        found *= np.where(found[np.arange(axes), largest] < 0, -1.0, 1.0)[:, None]
        whole = max(float(variances.clip(min=0).sum()), np.finfo(np.float64).tiny)
        shares = np.zeros(axes)
        shares[: len(kept)] = variances[kept].clip(min=0) / whole
        return cls(origin + shift, found, shares)

    def project(self, block: Float[np.ndarray, "B D"]) -> Float[np.ndarray, "B K"]:
        """Coordinates of vectors along the axes, from the mean."""
        return ((block.astype(np.float64) - self.mean) @ self.axes.T).astype(np.float32)
