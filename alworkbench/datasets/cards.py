"""The card of a labelled collection: source, licence, sizes and role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alworkbench.core.domain import LabelClass

DatasetRole = Literal["dev", "report"]
"""dev: methods are chosen on it. report: used only for final tables."""


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """A labelled collection for simulations and demonstrations."""

    name: str
    source: str
    licence: str
    classes: tuple[LabelClass, ...]
    sizes: Mapping[str, Mapping[str, int]]
    """Images by part (pool, test) and class name."""
    imbalance: float
    """Size of the largest class of the pool over that of the smallest."""
    purpose: str
    role: DatasetRole
    near_duplicates: int = 0
    """Images of the pool that are shifted, noisy copies of other images in it."""
    outside: int = 0
    """Images of the pool that belong to no class; `sizes` does not count them."""
    zero_shot_accuracy: float | None = None
    """Zero-shot accuracy on the test part; None if it was not measured."""
    zero_shot_balanced: float | None = None
    """Zero-shot accuracy as the mean over classes."""

    def images(self, part: str) -> int:
        """Number of images of a part that have a class."""
        return sum(self.sizes[part].values())


def imbalance_of(sizes: Mapping[str, int]) -> float:
    """Size of the largest class over that of the smallest."""
    return max(sizes.values()) / min(sizes.values())


def long_tail(total: int, classes: int, imbalance: float) -> tuple[int, ...]:
    """Class sizes in geometric progression, largest first, that add up to `total`.

    Size k is proportional to imbalance ** (-k / (classes - 1)). Sizes are rounded down; the images that
    are left go, one each, to the classes that lost most by rounding.
    """
    shares = [imbalance ** (-k / (classes - 1)) for k in range(classes)]
    exact = [total * share / sum(shares) for share in shares]
    sizes = [int(size) for size in exact]
    lost = sorted(range(classes), key=lambda k: sizes[k] - exact[k])
    for k in lost[: total - sum(sizes)]:
        sizes[k] += 1
    return tuple(sizes)
