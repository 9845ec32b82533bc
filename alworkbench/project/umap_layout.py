"""A layout by UMAP (McInnes et al. 2018, arXiv:1802.03426), with the optional package `umap-learn`.

The vectors are first projected on their principal axes: exact, and enough for neighbours. A larger pool is
fitted on a random sample; the package then places the other images among it. One thread computes, so that
the same seed gives the same layout.

Dimensions used in this file
    N  images
    B  images of a block
    D  embedding size
    K  principal axes
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float, Int

from alworkbench.core.errors import ExtraMissing, MapTooSmall
from alworkbench.core.progress import Progress, silent
from alworkbench.features.principal_axes import PrincipalAxes
from alworkbench.project.session import some_of

SAMPLE = 20_000
"""Images that the layout is fitted to; the others are placed among them."""
AXES = 50
NEIGHBOURS = 15
LEAST_DISTANCE = 0.1
LEAST_IMAGES = 10
_BLOCK = 5000

Vectors = Callable[[Int[torch.Tensor, "n"] | None, str], Iterator[Float[np.ndarray, "B D"]]]
"""Gives the vectors of these images (None: of all), block by block, and tells its progress as this step."""


def refuse_without_package() -> None:
    """Raises ExtraMissing where `umap-learn` is not installed."""
    if find_spec("umap") is None:
        raise ExtraMissing("A layout by UMAP", "umap-learn", "umap")


def umap_layout(
    vectors: Vectors, images: int, seed: int, progress: Progress = silent, sample: int = SAMPLE
) -> tuple[Float[np.ndarray, "N 2"], int]:
    """Where each image lies, and how many images the layout was fitted to.

    Raises MapTooSmall, and ExtraMissing without the package.
    """
    refuse_without_package()
    if images < LEAST_IMAGES:
        raise MapTooSmall(images, LEAST_IMAGES)
    axes = PrincipalAxes.of(vectors(None, "finding the axes"), AXES)
    blocks = vectors(None, "projecting")
    projected = np.concatenate([axes.project(block) for block in blocks])  # N K
    progress("loading UMAP", 0, 1)
    from umap import UMAP

    chosen = np.array(some_of(range(images), sample, seed))
    model = UMAP(
        n_neighbors=min(NEIGHBOURS, len(chosen) - 1),
        min_dist=LEAST_DISTANCE,
        init="pca",
        random_state=seed,
        transform_seed=seed,
        n_jobs=1,
        # The bar of the package is the only place that says how far it is.
        tqdm_kwds={
            "disable": False,
            "file": _Told(progress),
            "bar_format": "{n} {total}",
            "mininterval": 0.5,
        },
    )
    placed = np.zeros((images, 2), np.float32)
    progress("finding neighbours", 0, 1)
    placed[chosen] = model.fit_transform(projected[chosen])
    rest = np.setdiff1d(np.arange(images), chosen)
    model.tqdm_kwds["disable"] = True
    for start in range(0, len(rest), _BLOCK):
        progress("placing the other images", start, len(rest))
        part = rest[start : start + _BLOCK]
        placed[part] = model.transform(projected[part])
    return placed, len(chosen)


class _Told(io.TextIOBase):
    """Reads the bar of the package and tells the progress, which may stop the computation."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        """Called with the bar whenever it moves."""
        found = re.search(r"(\d+) (\d+)", text)
        if found:
            self._progress("laying out", int(found[1]), int(found[2]))
        return len(text)
