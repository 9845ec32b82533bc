"""Forecast of the labels still needed for a target: a saturating power law through the audit curve.

accuracy(n) = a - b n^-c with 0 <= a <= 1 and b >= 0. For each c of a grid, a and b are fitted by least
squares; the best c is taken. The interval is a bootstrap over the audit images: every measurement is on
the same images, so each resample changes the whole curve. The randomness of the asked images is not
part of it. Therefore a forecast does not extend far beyond the data.

Dimensions used in this file
    K  resamples
    R  measurements
    N  audit images
    G  exponents
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alworkbench.core.words import counted, percent

Floats = NDArray[np.float64]

LEAST_POINTS = 4
"""Measurements with different numbers of labels that are needed: the law has three parameters."""
FARTHEST = 8
"""A forecast extends to this multiple of the labels so far, at most."""
RESAMPLES = 400
SURE = 0.9
"""Share of resamples that must reach the target, so that the interval has an upper end."""
EXPONENTS = np.geomspace(0.05, 3.0, 40)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Labels still needed for the target, or the reason why they cannot be estimated."""

    target: float
    labels: float | None
    """Median estimate; None if it cannot be estimated."""
    low: float | None
    """80 % interval over audit images."""
    high: float | None
    """None if the upper end is beyond the largest forecast."""
    why: str
    """The data behind the forecast, or why there is none."""


def forecast(labels: Sequence[int], right: Sequence[str], target: float, left: int) -> Forecast:
    """From measurements on one audit set: labels of each, and which images were right (see `audit`).

    `left`: images of the pool without a label. More labels than that are not forecast.
    """
    by_labels = {n: marks for n, marks in zip(labels, right, strict=True) if n > 0}
    if len(by_labels) < LEAST_POINTS:
        known = counted(len(by_labels), "measurement")
        why = f"{known} after labels; a forecast needs {LEAST_POINTS}"
        return Forecast(target, None, None, None, why)
    counts = np.array(sorted(by_labels), dtype=np.float64)  # R
    marks = np.array(
        [[mark == "1" for mark in by_labels[int(n)]] for n in counts], dtype=np.float64
    )
    images = marks.shape[1]
    random = np.random.default_rng(0)
    chosen = random.multinomial(images, np.full(images, 1 / images), size=RESAMPLES)  # K N
    curves = np.vstack([marks.mean(axis=1), chosen @ marks.T / images])  # 1+K R
    needed = labels_to(target, *fit(counts, curves)) - counts[-1]
    farthest = min((FARTHEST - 1) * counts[-1], left)
    reached = needed[1:] <= farthest
    basis = f"{len(counts)} measurements on {images:,} audit images"
    if reached.mean() < 0.5:
        share = f"{percent(reached.mean(), 0)} of resampled curves reach it with {farthest:.0f} labels more"
        return Forecast(target, None, None, None, f"{share}; {basis}")
    ends = np.quantile(np.clip(needed[1:], 0, farthest), [0.1, 0.5, 0.9])
    high = float(ends[2]) if reached.mean() >= SURE else None
    return Forecast(target, float(ends[1]), float(ends[0]), high, basis)


def fit(labels: Floats, accuracies: Floats) -> tuple[Floats, Floats, Floats]:
    """a, b, c of each curve (K R) over the labels (R): (K,) each."""
    best = np.full(len(accuracies), np.inf)
    found = np.zeros((3, len(accuracies)))
    mean = accuracies.mean(axis=1)
    for exponent in EXPONENTS:
        x = labels**-exponent
        middle = x.mean()
        slope = (accuracies - mean[:, None]) @ (x - middle) / np.square(x - middle).sum()
        b = np.maximum(0.0, -slope)
        a = mean + b * middle
        # At a = 1 the slope alone is left to fit.
        steep = np.maximum(0.0, (1 - accuracies) @ x / np.square(x).sum())
        a, b = np.where(a > 1, 1.0, a), np.where(a > 1, steep, b)
        error = np.square(accuracies - a[:, None] + b[:, None] * x).sum(axis=1)
        better = error < best
        best = np.where(better, error, best)
        found = np.where(better, np.stack([a, b, np.full_like(a, exponent)]), found)
    return found[0], found[1], found[2]


def labels_to(target: float, a: Floats, b: Floats, c: Floats) -> Floats:
    """Labels at which each curve reaches the target; infinity where it never does."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        needed = np.power(b / (a - target), 1 / c)
    return np.where(a > target, np.where(b > 0, needed, 0.0), np.inf)
