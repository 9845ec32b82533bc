"""Which rows of features can be computed with: those whose embedding has a direction.

A logit is a cosine. It is defined where the embedding is finite and not zero. One row without a direction
would make the posterior of a whole project infinite or undefined, so such rows are found on reading, named,
and left out.

Dimensions used in this file
    N  rows
    P  activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Features

SHORTEST = 1e-12
"""Shortest embedding that `torch.nn.functional.normalize` brings to length 1 (its `eps`)."""
BLOCK = 8192
"""Rows that are looked at once: only their embeddings are in memory."""


@dataclass(frozen=True, slots=True)
class UnusableRow:
    """A row of a file that was left out, and why."""

    array: str
    """The array that holds the row."""
    row: int
    """Counted from 0, in the file."""
    reason: str
    path: str | None = None
    hash: str | None = None
    """How the file names the image of the row; both None for a training pair."""

    @property
    def name(self) -> str:
        """The path or the hash of the image, or else the place in the file."""
        return self.path or self.hash or f"{self.array}[{self.row}]"

    def __str__(self) -> str:
        return f"{self.name} (row {self.row} of {self.array}): {self.reason}"


def reasons_against(
    features: Features, embed: Callable[[Features], Float[Tensor, "N D"]]
) -> dict[int, str]:
    """Why rows have no direction, by row number; a row that is not in the result is usable.

    `embed` gives the embeddings of a block of rows in float32, as the program will compute them.
    """
    found = {}
    for start in range(0, len(features), BLOCK):
        block = features[slice(start, start + BLOCK)]
        block = block.to(block.activations.device, torch.float32)
        finite = block.activations.isfinite().all(dim=1)
        if block.residuals is not None:
            finite &= block.residuals.isfinite().all(dim=1)
        length = embed(block).norm(dim=1)
        finite, length = finite.cpu(), length.cpu()
        usable = finite & length.isfinite() & (length > SHORTEST)
        for row in (~usable).nonzero()[:, 0].tolist():
            if not finite[row]:
                reason = "it holds values that are not finite in float32"
            elif not length[row].isfinite():
                reason = "its embedding is too long for float32"
            else:
                reason = "its embedding has length 0, so that it has no direction"
            found[start + row] = reason
    return found
