"""Near-copies in a batch: images that look like another one of the batch, or like one with a label.

The label of a near-copy teaches little. Whitened activations tell near-copies from images of one kind; see
`most_similar`, which compares all images of a project with each other.

Dimensions used in this file
    N  images of the pool
    M  images of the batch
    L  labelled images
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alworkbench.features.table import FeatureTable

if TYPE_CHECKING:
    import numpy as np
    import torch
    from jaxtyping import Float, Int

NEAR = 0.7
"""Least cosine of whitened activations; see `most_similar` for how many copies it finds."""
_SAMPLE = 50_000
"""Images that the variances are taken from, so that the cost does not grow with the pool."""
NEAR_COPIES = "near_copies"
"""Where the settings of a round name the near-copies of its batch."""


@dataclass(frozen=True, slots=True)
class NearCopy:
    """An image of a batch, and the most similar other image."""

    image_id: int
    of: int
    """Id of the other image."""
    labelled: bool
    """Whether the other image has a label; else it is in the batch, too."""
    cosine: float


def near_copies(
    table: FeatureTable,
    pool: Int[np.ndarray, "N"],
    batch: Mapping[int, int],
    labelled: Mapping[int, int],
    seed: int,
) -> list[NearCopy]:
    """Of each image of a batch the most similar one of the batch and of the labelled ones, where it is near.

    `pool` are rows of the features; of many, a sample fixed by the seed gives the variances. `batch` and
    `labelled` are row -> image id. In the order of the batch.
    """
    import torch

    from alworkbench.features.whitening import Whitening
    from alworkbench.project.session import some_of

    if not batch or len(pool) < 2:
        return []
    whitening = Whitening.of(table, torch.tensor(some_of(pool, _SAMPLE, seed)))
    own = torch.tensor(list(batch))
    wanted = torch.cat(list(whitening.directions(table, own)))  # M R
    within = wanted @ wanted.T
    within.fill_diagonal_(-torch.inf)
    ids = list(batch.values())
    found = _near(ids, *within.max(dim=1), ids, labelled=False)
    if labelled:
        rows, images = torch.tensor(list(labelled)), list(labelled.values())
        nearest = torch.full((len(ids),), -torch.inf)
        at = torch.zeros(len(ids), dtype=torch.long)
        start = 0
        for block in whitening.directions(table, rows):  # never all L at once
            best, own = (wanted @ block.T).max(dim=1)
            nearer = best > nearest
            nearest, at = torch.where(nearer, best, nearest), torch.where(nearer, own + start, at)
            start += len(block)
        found += _near(ids, nearest, at, images, labelled=True)
    place = {image: n for n, image in enumerate(ids)}
    return sorted(found, key=lambda each: (place[each.image_id], each.labelled))


def _near(
    ids: Sequence[int],
    best: Float[torch.Tensor, "M"],
    at: Int[torch.Tensor, "M"],
    others: Sequence[int],
    *,
    labelled: bool,
) -> list[NearCopy]:
    return [
        NearCopy(image, others[other], labelled, min(1.0, cosine))
        for image, cosine, other in zip(ids, best.tolist(), at.tolist(), strict=True)
        if cosine >= NEAR
    ]


def read_near_copies(settings: Mapping[str, Any]) -> list[NearCopy] | None:
    """The near-copies that the settings of a round name; None where they were not looked for."""
    found: Iterable[Mapping[str, Any]] | None = settings.get(NEAR_COPIES)
    return None if found is None else [NearCopy(**each) for each in found]
