"""Tests of paired differences: exact sign flips, corrected for the number of comparisons.

Dimensions used in this file
    n  seeds
    F  flips
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alworkbench.evaluation.intervals import Floats

EXACT_SEEDS = 12
"""Up to this number of seeds, all 2**n sign flips are computed."""
FLIPS = 9_999
"""Number of random sign flips for more seeds, drawn by a seeded generator."""
LEVEL = 0.05
"""Family-wise error rate: the probability of any false difference over all comparisons."""

_SLACK = 1e-9
"""Sums that are equal in exact arithmetic may differ in their last digits."""


def sign_flip_p(differences: Floats, seed: int = 0) -> Floats:
    """Two-sided p of "the differences of the n seeds are as likely negative as positive".

    The share of flips of signs whose mean lies as far from 0 as the found one, the found one among
    them: never 0, and exact for any distribution that is symmetric around 0. Takes (..., n), gives
    (...).
    """
    count = differences.shape[-1]
    if count == 0:
        raise ValueError("nothing to test: no seeds")
    flips = _all_signs(count) if count <= EXACT_SEEDS else _drawn_signs(count, seed)
    found = np.abs(differences.sum(axis=-1))
    size = np.abs(differences).sum(axis=-1)
    flat = differences.reshape(-1, count)
    extreme = np.empty(len(flat), dtype=np.int64)
    block = max(1, 2**22 // len(flips))
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        sums = np.abs(flat[part] @ flips.T)  # ... F
        edge = found.reshape(-1)[part] - _SLACK * size.reshape(-1)[part]
        extreme[part] = (sums >= edge[:, None]).sum(axis=-1)
    if count <= EXACT_SEEDS:
        return np.asarray(extreme.reshape(found.shape) / len(flips))
    return np.asarray((1 + extreme.reshape(found.shape)) / (1 + len(flips)))


def smallest_p(seeds: int) -> float:
    """The smallest p that the test can give. Above LEVEL, no difference can be significant."""
    exact = 2.0 ** (1 - seeds)
    return exact if seeds <= EXACT_SEEDS else max(exact, 1 / (1 + FLIPS))


def holm(p: Sequence[float] | Floats) -> Floats:
    """Holm's (1979) adjusted p over the last axis: below LEVEL is a difference, family-wise.

    The k-th smallest of m times (m - k + 1), never below the one before, at most 1.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw, axis=-1, kind="stable")
    steps = np.take_along_axis(raw, order, axis=-1) * np.arange(raw.shape[-1], 0, -1)
    steps = np.minimum(1.0, np.maximum.accumulate(steps, axis=-1))
    adjusted = np.empty_like(raw)
    np.put_along_axis(adjusted, order, steps, axis=-1)
    return adjusted


def _all_signs(count: int) -> NDArray[np.float64]:
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def _drawn_signs(count: int, seed: int) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).integers(0, 2, size=(FLIPS, count))
    return np.asarray(1.0 - 2.0 * drawn, dtype=np.float64)
