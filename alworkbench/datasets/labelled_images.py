"""Labelled images in memory: the pool and the test part of a collection.

Dimensions used in this file
    N  images of one part
    H, W  pixels
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from alworkbench.core.domain import NO_CLASS
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.progress import Progress, silent
from alworkbench.datasets.cards import DatasetCard
from alworkbench.datasets.cards import DatasetRole as DatasetRole

"""The label of an image that no class of the collection fits."""
SEED = 0
"""The seed of every collection; another seed gives another collection of the same kind."""
POOL, TEST = "pool", "test"

Pixels = UInt8[np.ndarray, "N H W"] | UInt8[np.ndarray, "N H W 3"]


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """One part: pictures of one size, grey or RGB, with their true classes."""

    images: Pixels
    labels: Int64[np.ndarray, "N"]
    """Class index, or NO_CLASS."""
    copy_of: Int64[np.ndarray, "N"]
    """The row that this near-duplicate is a copy of; -1 for an original."""

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def originals(cls, images: Pixels, labels: Int64[np.ndarray, "N"]) -> LabelledImages:
        """Images without near-duplicates."""
        return cls(images, labels, np.full(len(labels), -1, np.int64))

    def take(self, rows: Int64[np.ndarray, "M"]) -> LabelledImages:
        """These rows in this order; the original of each near-duplicate must be one of them."""
        place = np.full(len(self) + 1, -1, np.int64)  # the last entry stands for "no original"
        place[rows] = np.arange(len(rows))
        copy_of = np.where(self.copy_of[rows] < 0, -1, place[self.copy_of[rows]])
        if ((copy_of < 0) & (self.copy_of[rows] >= 0)).any():
            raise ValueError("a part holds a near-duplicate without its original")
        return LabelledImages(self.images[rows], self.labels[rows], copy_of)

    def hashes(self) -> list[str]:
        """SHA-256 of the pixels and shape of each picture."""
        shape = repr(self.images.shape[1:]).encode()
        return [hashlib.sha256(shape + image.tobytes()).hexdigest() for image in self.images]


@dataclass(frozen=True, slots=True)
class CollectionImages:
    """Both parts of a collection. No picture occurs twice, neither in one part nor in both."""

    pool: LabelledImages
    test: LabelledImages

    def __post_init__(self) -> None:
        pool, test = self.pool.hashes(), self.test.hashes()
        if both := set(pool) & set(test):
            raise ValueError(f"pool and test part share {len(both)} images, such as {min(both)}")
        if len(set(pool)) < len(pool) or len(set(test)) < len(test):
            raise ValueError("a part holds the same image twice")

    @property
    def near_duplicates(self) -> int:
        """How many images of the pool are altered copies of others."""
        return int((self.pool.copy_of >= 0).sum())

    @property
    def outside(self) -> int:
        """How many images of the pool belong to no class."""
        return int((self.pool.labels == NO_CLASS).sum())


def nothing_missing() -> None:
    """The maker of a collection."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A labelled collection. Making it again gives the same bytes."""

    card: DatasetCard
    """What the collection promises; `make` checks it."""
    summary: str
    """A description in one line."""
    recipe: int
    """Increase it when the same seed gives other images than before."""
    draw: Callable[[int, Progress], CollectionImages]
    missing: Callable[[], str | None] = nothing_missing
    """Advice on what this machine lacks to make the collection; None if it lacks nothing."""
    base: str | None = None
    """Another collection that has most of these images, so that they are encoded only once."""

    @property
    def name(self) -> str:
        """The name in commands."""
        return self.card.name

    @property
    def role(self) -> DatasetRole:
        """Whether it is for development or for reports."""
        return self.card.role

    def available(self) -> str | None:
        """Why it cannot be made on this machine, or None if it can."""
        return self.missing()

    def make(self, seed: int = SEED, progress: Progress = silent) -> CollectionImages:
        """The images; the same seed gives the same bytes.

        Raises UnreadableSource if a source file is missing, or if the images differ from the card
        (for example because the source is another release).
        """
        if (why := self.available()) is not None:
            raise UnreadableSource(
                f"The collection {self.name!r} cannot be made on this machine: {why}."
            )
        made = self.draw(seed, progress)
        found = {POOL: self._sizes(made.pool), TEST: self._sizes(made.test)}
        promised = {part: dict(self.card.sizes[part]) for part in (POOL, TEST)}
        facts = (made.near_duplicates, made.outside)
        if found != promised or facts != (self.card.near_duplicates, self.card.outside):
            wrong = [
                f"{count} of {name!r} in the {part}, not {promised[part].get(name)}"
                for part in (POOL, TEST)
                for name, count in found[part].items()
                if promised[part].get(name) != count
            ]
            raise UnreadableSource(
                f"The collection {self.name!r} differs from its card: "
                f"{'; '.join(wrong[:3]) or f'near-duplicates and images outside: {facts}'}. Its "
                f"source is another release than the one it was written for; install the packages "
                f"again (`pip install --force-reinstall scikit-learn matplotlib`)."
            )
        return made

    def _sizes(self, part: LabelledImages) -> Mapping[str, int]:
        counts = np.bincount(part.labels[part.labels >= 0], minlength=len(self.card.classes))
        names = [label.name for label in self.card.classes]
        return dict(zip(names, counts.tolist(), strict=True))
