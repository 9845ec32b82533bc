"""95 % intervals: of a share of right answers (Wilson), and of a mean over seeds (Student's t).

Every mean over seeds has a t-interval: mean ± t * standard error with n - 1 degrees of freedom. With
10 seeds it covers the truth in 95 % of cases; a percentile bootstrap covers about 90 %, because the
variance of a resample is too small by the factor (n - 1) / n and its quantiles are those of a normal
distribution. `python -m tests.bench.statistics` measures the coverage.

Dimensions used in this file
    n  seeds
    R  entries with n values each, such as rounds
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def wilson(share: float, size: float | int) -> tuple[float, float]:
    """Centre and half-width of the 95 % Wilson (1927) interval of a share measured on `size` images.

    `size` may be fractional, as an effective sample size is. The interval is reliable for small sizes
    and for shares near 0 and 1.
    """
    scale = 1 + Z95**2 / size
    centre = (share + Z95**2 / (2 * size)) / scale
    half = Z95 * math.sqrt(share * (1 - share) / size + Z95**2 / (4 * size**2)) / scale
    return centre, half


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Ends of the 95 % Wilson interval of `right` out of `count`, within [0, 1]."""
    centre, half = wilson(right / count, count)
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_difference(gained: int, lost: int, count: int) -> tuple[float, float, float]:
    """Change of a share between two answers to the same `count` images, and its 95 % interval.

    `gained` images became right and `lost` ones wrong. The interval is that of Agresti and Min (2005): half
    an image is added to each cell of the table, so that it is never empty; within [-1, 1].
    """
    total = count + 2
    centre = (gained - lost) / total
    half = Z95 * math.sqrt((gained + lost + 1) / total - centre**2) / math.sqrt(total)
    difference = (gained - lost) / count
    return difference, max(-1.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds. With one seed, standard error and interval are nan."""

    mean: float
    standard_error: float
    seeds: int
    low: float
    """Lower end of the 95 % t-interval."""
    high: float

    def __str__(self) -> str:
        """Mean and standard error with three digits."""
        if self.seeds < 2:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.standard_error:.3f}"

    @property
    def with_interval(self) -> str:
        """Mean and interval with three digits."""
        if self.seeds < 2:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def t_interval(mean: Floats, error: Floats, seeds: int) -> tuple[Floats, Floats]:
    """Ends of the 95 % t-intervals of means with these standard errors; nan for one seed."""
    from scipy.special import stdtrit  # scipy.stats takes seconds to import

    if seeds < 2:
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stdtrit(seeds - 1, 0.975) * error
    return np.asarray(mean - half), np.asarray(mean + half)


def estimates(values: Floats) -> tuple[Estimate, ...]:
    """R estimates from n x R values."""
    count = len(values)
    mean = values.mean(axis=0)
    error = values.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full_like(mean, np.nan)
    low, high = t_interval(mean, error, count)
    together = zip(mean.tolist(), error.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(Estimate(m, e, count, lo, hi) for m, e, lo, hi in together)


def estimate(values: Sequence[float] | Floats) -> Estimate:
    """The estimate of n values, one per seed."""
    return estimates(np.asarray(values, dtype=np.float64)[:, None])[0]
