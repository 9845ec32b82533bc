"""How sure a fitted temperature is: its dispersion, its standard error and a 95 % interval.

The interval holds each T that the labels do not contradict (score test; Rao, 1948):

    |sum_i w_i surplus_i(T)|  <=  1.96 sqrt(phi sum_i w_i^2 spread_i(T))

Unlike T exp(+-1.96 standard errors) it does not depend on the prior, and it is right with few labels and
where nearly every label agrees with the prediction. phi is the dispersion at the fitted T,

    phi = max(1, sum_i w_i^2 surplus_i^2 / sum_i w_i^2 spread_i)

that is, the variance that the labels show (the sandwich) over the one that the model states. phi is above
1 where one temperature does not suit all images, and where large weights meet surprising labels. The
effective sample size alone would overlook both. phi is at least 1 because a few labels without a
surprise do not show a small variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import brentq

from alworkbench.adaptation.bracketed_newton import grid
from alworkbench.adaptation.temperature_likelihood import Moments
from alworkbench.evaluation.intervals import Z95

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class TemperatureUncertainty:
    """Of a fitted temperature."""

    dispersion: float
    """phi: 1 if the labels scatter as one temperature predicts, or less."""
    standard_error_log: float
    """Of log T; infinite if the logits tell nothing about T."""
    low: float
    """End of the 95 % interval of T, within the bounds of the search."""
    high: float


def temperature_uncertainty(
    moments: Callable[[float], Moments], u: float, bounds: tuple[float, float]
) -> TemperatureUncertainty:
    """The uncertainty of T = exp(-u). `bounds` are those of u; the interval always holds T itself."""
    fitted = moments(u)
    dispersion = 1.0
    if fitted.stated_variance > 0:
        dispersion = max(1.0, fitted.shown_variance / fitted.stated_variance)
    slope = math.exp(u) * fitted.spread
    error = math.sqrt(dispersion * fitted.stated_variance) / slope if slope > 0 else math.inf

    def margin(at: float) -> float:
        return Z95 * math.sqrt(dispersion * moments(at).stated_variance)

    def upper(at: float) -> float:
        """Negative where T is too large, so that u is too small."""
        return moments(at).surplus + margin(at)

    def lower(at: float) -> float:
        """Positive where T is too small, so that u is too large."""
        return moments(at).surplus - margin(at)

    points = grid(*bounds)
    smallest = next((k for k, at in enumerate(points) if upper(at) >= 0), None)
    largest = next((k for k, at in reversed([*enumerate(points)]) if lower(at) <= 0), None)
    # If no point qualifies, the interval lies beyond a bound of the search, and ends there.
    first = bounds[1] if smallest is None else bounds[0]
    last = bounds[0] if largest is None else bounds[1]
    if smallest:
        first = brentq(upper, points[smallest - 1], points[smallest], xtol=_TOLERANCE)
    if largest is not None and largest < len(points) - 1:
        last = brentq(lower, points[largest], points[largest + 1], xtol=_TOLERANCE)
    return TemperatureUncertainty(
        dispersion, error, math.exp(-max(last, u)), math.exp(-min(first, u))
    )
