"""Labels that a target needs, and the saving of a strategy, with runs that do not reach it as censored.

A run reaches a target where its curve, linear between rounds, first reaches it. A run that ends before
is *censored*: it needs more labels than its budget. The typical number of labels of an arm is the
geometric mean over seeds. If every run reaches the target, the interval is the t-interval of the
logarithms. With censored runs, the mean is that of a normal distribution of the logarithms, fitted by
maximum likelihood to both kinds of run (Tobin 1958; EM, variance with n - 1). The influences of the runs
on that mean take the place of their deviations in the t-interval; without censoring they are equal.
The saving factor is the difference of two such means. Paired seeds enter as differences of their
influences, so that the difficulty of a seed cancels.

A percentile bootstrap would cover about 90 % with 10 seeds; the t-intervals here cover 93 to 97 %
(`python -m tests.bench.statistics`). They are intervals for a given level, even if the level was taken
from the baseline's own mean.

If fewer than half of the runs, or fewer than three, reach the target, the mean cannot be estimated. Then
only a bound is given, with the censored runs counted at their budget.

Dimensions used in this file
    n  seeds
    R  rounds
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import LOWER_IS_BETTER, Runs
from alworkbench.evaluation.intervals import Floats, t_interval

FEWEST_LABELS = 1.0
"""A target that is reached without labels counts as 1 label, because factors need a logarithm."""

_FEWEST_REACHED = 3
_SMALLEST_SPREAD = 1e-6
_ROUNDS_OF_EM = 500
_TOLERANCE = 1e-10
_LOG_ROOT_TAU = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Target:
    """A level of a metric that runs are to reach."""

    metric: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Typical:
    """Logarithm of the geometric mean of labels, for any leading shape, with the influence of each seed."""

    log_mean: Floats
    influence: Floats
    """(..., n), with mean 0: the influence of each seed on the mean."""
    estimable: NDArray[np.bool_]
    """If False, `log_mean` is a lower bound: censored runs count at their budget."""

    def interval(self) -> tuple[Floats, Floats]:
        """95 % limits of the logarithm. For a bound, only the lower limit is valid."""
        return _limits(self.log_mean, self.influence)


@dataclass(frozen=True, slots=True)
class Reach:
    """Labels that one arm takes to reach a target."""

    arm: Arm
    target: Target
    labels: tuple[float, ...]
    """By seed; inf for a run that ended before (right-censored at `budget`)."""
    budget: float
    typical: float | None
    """Geometric mean over seeds; None if too few runs reached the target."""
    low: float
    """95 % limits; nan with one seed."""
    high: float | None
    """None: not bounded above."""
    median: float | None
    """Median of Kaplan and Meier (1958); None if fewer than half of the runs reached the target."""
    restricted_mean: float
    """Mean of min(labels, budget)."""

    @property
    def reached(self) -> int:
        """How many runs reached the target."""
        return sum(math.isfinite(labels) for labels in self.labels)


@dataclass(frozen=True, slots=True)
class Saving:
    """Labels of the baseline divided by labels of an arm, for the same target: above 1 saves."""

    arm: Arm
    baseline: Arm
    target: Target
    kind: str
    """estimate; at least (too few runs of the baseline reached it); at most (of the arm); unknown."""
    factor: float | None
    """Geometric mean, paired by seed; for `at least` and `at most`, the bound."""
    low: float | None
    """95 % limits; None for an open side."""
    high: float | None

    @property
    def share_saved(self) -> float | None:
        """1 - labels of the arm / labels of the baseline."""
        return None if self.factor is None else 1 - 1 / self.factor


def labels_to_reach(paid: Floats, values: Floats, target: float, rising: bool = True) -> Floats:
    """Labels at which curves (..., R) first reach a level, between rounds by a straight line.

    inf where they do not within the curve.
    """
    sign = 1.0 if rising else -1.0
    curve, level = sign * values, sign * target
    there = curve >= level
    first = there.argmax(axis=-1)
    before = np.maximum(first - 1, 0)
    low = np.take_along_axis(curve, before[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(curve, first[..., None], axis=-1)[..., 0]
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(first > 0, (level - low) / rise, 0.0)
    found = paid[before] + share * (paid[first] - paid[before])
    return np.where(there.any(axis=-1), found, np.inf)


def typical(labels: Floats, budget: float) -> Typical:
    """The typical number of labels of (..., n) runs, inf where censored at `budget`."""
    reached = np.isfinite(labels)
    logs = np.log(np.maximum(np.where(reached, labels, budget), FEWEST_LABELS))
    count = labels.shape[-1]
    enough = np.maximum(_FEWEST_REACHED, math.ceil(count / 2))
    estimable = np.asarray(reached.all(axis=-1) | (reached.sum(axis=-1) >= enough))
    bound = np.asarray(logs.mean(axis=-1))
    fitted, spread = _censored_normal(logs, reached)
    influence = _influence(logs, reached, fitted, spread)
    return Typical(
        np.where(estimable, fitted, bound),
        np.where(estimable[..., None], influence, logs - bound[..., None]),
        estimable,
    )


def reach(runs: Runs, target: Target) -> Reach:
    """Labels until the target, with runs counted as censored that never reached it."""
    labels = _labels(runs, target)
    budget = float(runs.paid[-1])
    found = typical(labels, budget)
    low, high = (float(np.exp(end)) for end in found.interval())
    there = np.sort(labels)[math.ceil(len(labels) / 2) - 1]
    return Reach(
        runs.arm,
        target,
        tuple(labels.tolist()),
        budget,
        float(np.exp(found.log_mean)) if found.estimable else None,
        low,
        high if found.estimable else None,
        float(there) if math.isfinite(there) else None,
        float(np.minimum(labels, budget).mean()),
    )


def saving(runs: Runs, baseline: Runs, target: Target) -> Saving:
    """Raises ValueError for runs of other seeds: they are not paired."""
    if runs.seeds != baseline.seeds:
        raise ValueError(f"seeds {runs.seeds} and {baseline.seeds} are not paired")
    own = typical(_labels(runs, target), float(runs.paid[-1]))
    other = typical(_labels(baseline, target), float(baseline.paid[-1]))
    factor, low, high = (float(value) for value in factor_interval(own, other))
    if own.estimable and other.estimable:
        return Saving(runs.arm, baseline.arm, target, "estimate", factor, low, high)
    if own.estimable:
        return Saving(runs.arm, baseline.arm, target, "at least", factor, low, None)
    if other.estimable:
        return Saving(runs.arm, baseline.arm, target, "at most", factor, None, high)
    return Saving(runs.arm, baseline.arm, target, "unknown", None, None, None)


def factor_interval(own: Typical, baseline: Typical) -> tuple[Floats, Floats, Floats]:
    """Saving factor and its 95 % limits, paired by seed.

    With only the baseline bounded (from below) the upper limit says nothing, with only `own` bounded
    the lower one; with both, neither.
    """
    log_factor = np.asarray(baseline.log_mean - own.log_mean)
    low, high = _limits(log_factor, baseline.influence - own.influence)
    return np.asarray(np.exp(log_factor)), np.asarray(np.exp(low)), np.asarray(np.exp(high))


def target_of(baseline: Runs, metric: str, paid: float | int, called: str) -> Target:
    """The level that the baseline's mean reaches with a number of labels."""
    value = float(baseline.at(paid).mean())
    return Target(metric, value, f"what {called} reaches on average with {paid:g} labels")


def _labels(runs: Runs, target: Target) -> Floats:
    rising = target.metric not in LOWER_IS_BETTER
    return labels_to_reach(runs.paid, runs.values, target.value, rising)


def _limits(mean: Floats, influence: Floats) -> tuple[Floats, Floats]:
    count = influence.shape[-1]
    if count < 2:
        return t_interval(mean, mean, count)
    error = np.sqrt(np.square(influence).sum(axis=-1) / (count * (count - 1)))
    return t_interval(mean, np.asarray(error), count)


def _censored_normal(logs: Floats, reached: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and spread of normals, some of whose (..., n) values are only known to lie above `logs`.

    EM: a censored value counts with its expectation and variance above its bound.
    """
    count = logs.shape[-1]
    mean = logs.mean(axis=-1)
    spread = np.sqrt(np.square(logs - mean[..., None]).sum(axis=-1) / max(1, count - 1))
    spread = np.maximum(spread, _SMALLEST_SPREAD)
    if reached.all():
        return np.asarray(mean), np.asarray(spread)
    for _ in range(_ROUNDS_OF_EM):
        at = (logs - mean[..., None]) / spread[..., None]
        hazard = _hazard(at)
        above = mean[..., None] + spread[..., None] * hazard
        left = np.square(spread)[..., None] * (1 + hazard * (at - hazard))  # variance above
        value = np.where(reached, logs, above)
        new = value.mean(axis=-1)
        squares = np.square(value - new[..., None]) + np.where(reached, 0.0, left)
        new_spread = np.sqrt(squares.sum(axis=-1) / max(1, count - 1))
        new_spread = np.maximum(new_spread, _SMALLEST_SPREAD)
        moved = np.abs(new - mean).max(initial=0.0)
        mean, spread = new, new_spread
        if moved < _TOLERANCE:
            break
    return np.asarray(mean), np.asarray(spread)


def _influence(logs: Floats, reached: NDArray[np.bool_], mean: Floats, spread: Floats) -> Floats:
    """n (J^-1 score_i), the mean's part, centred: J the observed information of (mean, spread).

    Without censored values it is their deviation from the mean.
    """
    count = logs.shape[-1]
    at = (logs - mean[..., None]) / spread[..., None]
    hazard = _hazard(at)
    bend = hazard * (hazard - at)  # d hazard / d at
    to_mean = np.where(reached, at, hazard)
    to_spread = np.where(reached, at**2 - 1, at * hazard)
    # The variance has n - 1 under it where the likelihood has n: the sums below use the latter's.
    mean_mean = np.where(reached, 1.0, bend).sum(axis=-1)
    mean_spread = np.where(reached, 2 * at, hazard + at * bend).sum(axis=-1)
    spread_spread = np.where(reached, 3 * at**2 - 1, 2 * at * hazard + at**2 * bend).sum(axis=-1)
    determinant = mean_mean * spread_spread - mean_spread**2
    safe = np.where(determinant > 0, determinant, 1.0)
    found = spread_spread[..., None] * to_mean - mean_spread[..., None] * to_spread
    found = count * spread[..., None] * found / safe[..., None]
    plain = logs - logs.mean(axis=-1)[..., None]
    found = found - found.mean(axis=-1)[..., None]
    whole = reached.all(axis=-1) | (determinant <= 0)
    return np.asarray(np.where(whole[..., None], plain, found))


def _hazard(at: Floats) -> Floats:
    """phi(z) / (1 - Phi(z))."""
    return np.asarray(np.exp(-0.5 * at**2 - _LOG_ROOT_TAU - log_ndtr(-at)))


def targets_at(baseline: Runs, metric: str, shares: Sequence[float], called: str) -> list[Target]:
    """The levels that the baseline reaches at shares of its budget, each at the nearest round."""
    span = baseline.paid[-1] - baseline.paid[0]
    wanted = [baseline.paid[0] + share * span for share in shares]
    rounds = [float(baseline.paid[np.abs(baseline.paid - each).argmin()]) for each in wanted]
    return [target_of(baseline, metric, paid, called) for paid in dict.fromkeys(rounds)]
