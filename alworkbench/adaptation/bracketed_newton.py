"""The minimum of a smooth function of one number on an interval: Newton's method, kept in a bracket.

A coarse grid finds the lowest valley, because the function may have more than one. Newton's steps then
converge inside the bracket around it. Where the second derivative is not positive, or where a step would
leave the bracket, the bracket is halved instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_GRID = 13
"""Points of the coarse grid: an odd number, so that the middle of the interval is one of them."""
_LONGEST_STEP = 1.0
_TOLERANCE = 1e-11
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Derivatives:
    """A function at one point, with its first two derivatives."""

    value: float
    slope: float
    curvature: float


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the function is lowest."""

    at: float
    at_bound: bool
    """The function still falls at this end of the interval."""
    converged: bool
    """The last step was below 1e-11."""


def grid(low: float, high: float) -> list[float]:
    """Evenly spaced points of the interval, both ends included."""
    return [low + (high - low) * k / (_GRID - 1) for k in range(_GRID)]


def minimise(function: Callable[[float], Derivatives], low: float, high: float) -> Minimum:
    """The lowest point of the function between `low` and `high`."""
    points = grid(low, high)
    best = min(range(_GRID), key=lambda k: function(points[k]).value)
    left, right = points[max(0, best - 1)], points[min(_GRID - 1, best + 1)]
    at = points[best]
    for _ in range(_MOST_STEPS):
        here = function(at)
        if (at == low and here.slope >= 0) or (at == high and here.slope <= 0):
            return Minimum(at, here.slope != 0, True)
        if here.slope > 0:
            right = at
        else:
            left = at
        following = (left + right) / 2
        if here.curvature > 0:
            step = max(-_LONGEST_STEP, min(_LONGEST_STEP, -here.slope / here.curvature))
            if abs(step) < _TOLERANCE:
                return Minimum(at, False, True)
            if left < at + step < right:
                following = at + step
        if abs(following - at) < _TOLERANCE:
            return Minimum(following, False, True)
        at = following
    return Minimum(at, False, False)
