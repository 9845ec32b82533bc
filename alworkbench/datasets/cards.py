"""What a labelled collection says of itself: no figure is read without its conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alworkbench.core.domain import LabelClass

DatasetRole = Literal["dev", "report"]
"""dev: recipes are chosen on it. report: looked at for final tables only."""


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
    """Images of the largest class of the pool for each one of the smallest."""
    purpose: str
    role: DatasetRole
    near_duplicates: int = 0
    """Images of the pool that are copies of others in it, a little shifted and noisy."""
    outside: int = 0
    """Images of the pool that no class fits, over and above `sizes`."""
    zero_shot_accuracy: float | None = None
    """Of the model without any label, on the test part; None where that was not measured."""
    zero_shot_balanced: float | None = None
    """The same, as the mean over the classes."""

    def images(self, part: str) -> int:
        """How many images a part holds that have a class."""
        return sum(self.sizes[part].values())


def imbalance_of(sizes: Mapping[str, int]) -> float:
    """Images of the largest class for each one of the smallest."""
    return max(sizes.values()) / min(sizes.values())


def long_tail(total: int, classes: int, imbalance: float) -> tuple[int, ...]:
    """Class sizes in geometric progression, largest first, that add up to `total`.

    size k is proportional to imbalance ** (-k / (classes - 1)). Each is rounded down, and what is
    left goes one by one to the classes that lost most.
    """
    shares = [imbalance ** (-k / (classes - 1)) for k in range(classes)]
    exact = [total * share / sum(shares) for share in shares]
    sizes = [int(size) for size in exact]
    lost = sorted(range(classes), key=lambda k: sizes[k] - exact[k])
    for k in lost[: total - sum(sizes)]:
        sizes[k] += 1
    return tuple(sizes)
