"""Which classes a model takes for which: counts of labels against predictions.

Dimensions used in this file
    N  images
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from alworkbench.evaluation.intervals import wilson_interval


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images with one label that the model takes for one other class."""

    label: str
    predicted: str
    images: int
    of: int
    """Images with this label."""


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """The images with one label."""

    name: str
    images: int
    right: int
    """Of these, images whose prediction is the label."""
    low: float | None
    """95 % Wilson interval of right / images; None for a class without images."""
    high: float | None
    predicted: int
    """Images that the model takes for this class, rightly or not."""
    mistaken_for: str | None
    """The class that it is taken for most often; None without an error."""
    mistaken: int
    """How often."""

    @property
    def accuracy(self) -> float | None:
        """Share of the images with this label that are predicted correctly (recall)."""
        return self.right / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """Share of the images with this prediction that have this label."""
        return self.right / self.predicted if self.predicted else None


@dataclass(frozen=True, slots=True)
class Confusions:
    """Counts of labels (rows) against predictions (columns)."""

    classes: tuple[str, ...]
    counts: Int[np.ndarray, "C C"]

    @classmethod
    def of(
        cls, classes: tuple[str, ...], labels: Int[np.ndarray, "N"], predicted: Int[np.ndarray, "N"]
    ) -> Confusions:
        """Count positions in the class list."""
        size = len(classes)
        pairs = np.asarray(labels, np.int64) * size + np.asarray(predicted, np.int64)
        return cls(classes, np.bincount(pairs, minlength=size * size).reshape(size, size))

    @property
    def images(self) -> int:
        """All images."""
        return int(self.counts.sum())

    @property
    def right(self) -> int:
        """Images whose prediction is the label."""
        return int(np.trace(self.counts))

    @property
    def accuracy(self) -> float:
        """Share of the images that are predicted correctly; there is at least one image."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self.right, self.images)

    def pairs(self) -> list[Confusion]:
        """The errors, the most frequent pair first; equal ones in the order of the class list."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        totals = self.counts.sum(axis=1)
        flat = wrong.ravel()
        order = np.argsort(-flat, kind="stable")[: int((flat > 0).sum())]
        return [
            Confusion(self.classes[i], self.classes[j], int(wrong[i, j]), int(totals[i]))
            for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
        ]

    def by_class(self) -> list[ClassAccuracy]:
        """Every class in the order of the class list."""
        found = []
        for i, name in enumerate(self.classes):
            row = self.counts[i].copy()
            images, right = int(row.sum()), int(row[i])
            row[i] = 0
            worst = int(row.argmax())
            low, high = wilson_interval(right, images) if images else (None, None)
            found.append(
                ClassAccuracy(
                    name,
                    images,
                    right,
                    low,
                    high,
                    int(self.counts[:, i].sum()),
                    self.classes[worst] if row[worst] else None,
                    int(row[worst]),
                )
            )
        return found

    def among(self, names: tuple[str, ...]) -> Confusions:
        """The part of some classes, in this order. Raises ValueError for a name that is not there."""
        at = [self.classes.index(name) for name in names]
        return Confusions(names, self.counts[np.ix_(at, at)])

    def most_confused(self, count: int) -> tuple[str, ...]:
        """The classes of the most frequent errors, at most so many, in the order of the class list."""
        chosen: dict[str, None] = {}
        for each in self.pairs():
            for name in (each.label, each.predicted):
                if len(chosen) < count:
                    chosen.setdefault(name)
        for name in self.classes:
            if len(chosen) < count:
                chosen.setdefault(name)
        return tuple(name for name in self.classes if name in chosen)
