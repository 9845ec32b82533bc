"""How far people agree who answered the same images: Krippendorff's alpha, and Cohen's kappa of each pair.

Both are 1 for full agreement, 0 for as much as chance gives, and below 0 for less. Alpha takes any number
of people and of missing answers (Krippendorff 2011); kappa compares two people on the images that both
answered (Cohen 1960). The interval of alpha is a percentile bootstrap over images.

Dimensions used in this file
    N  images
    P  people
    C  classes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Int

RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people on the images that both answered with a class."""

    first: str
    second: str
    images: int
    share: float
    """Of these images, those to which both gave the same class."""
    kappa: float | None
    """None where both gave one and the same class to every image."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """All people, and each pair of them."""

    images: int
    """Images that at least two people answered with a class."""
    alpha: float | None
    """None where all answers name one class, or no image has two answers."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    pairs: tuple[PairAgreement, ...]


def agreement(answers: Sequence[Mapping[str, int]], class_count: int) -> Agreement:
    """`answers` has for each image the class index that each person gave it."""
    several = [each for each in answers if len(each) > 1]
    counts = np.zeros((len(several), class_count), dtype=np.int64)
    for row, given in enumerate(several):
        np.add.at(counts[row], list(given.values()), 1)
    found = alpha(counts)
    low, high = (None, None) if found is None else _interval(counts)
    people = sorted({person for each in several for person in each})
    pairs = tuple(
        pair for a, b in combinations(people, 2) if (pair := _pair(several, a, b)) is not None
    )
    return Agreement(len(several), found, low, high, pairs)


def alpha(counts: Int[np.ndarray, "N C"]) -> float | None:
    """Krippendorff's alpha for names; counts[i, c] people gave class c to image i. None if undefined."""
    import krippendorff

    counts = counts[counts.sum(axis=1) > 1]
    if len(counts) == 0 or (counts.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _interval(counts: Int[np.ndarray, "N C"]) -> tuple[float, float]:
    source = np.random.default_rng(0)
    rows = source.integers(0, len(counts), (RESAMPLES, len(counts)))
    every = [each for each in (alpha(counts[some]) for some in rows) if each is not None]
    low, high = np.percentile(every, [2.5, 97.5])
    return float(low), float(high)


def _pair(answers: Sequence[Mapping[str, int]], a: str, b: str) -> PairAgreement | None:
    from sklearn.metrics import cohen_kappa_score

    both = [(each[a], each[b]) for each in answers if a in each and b in each]
    if not both:
        return None
    first, second = (list(side) for side in zip(*both, strict=True))
    same = sum(x == y for x, y in both) / len(both)
    kappa = float(cohen_kappa_score(first, second)) if len({*first, *second}) > 1 else None
    return PairAgreement(a, b, len(both), same, kappa)
