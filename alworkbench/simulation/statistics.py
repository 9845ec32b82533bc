"""What many runs say together: means with standard errors, paired by seed."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alworkbench.simulation.plan import Point

BUDGETS = (10, 20, 50, 100)
"""Label counts that tables show, as far as the runs go."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds. One seed has no standard error (nan)."""

    mean: float
    standard_error: float
    seeds: int

    def __str__(self) -> str:
        if self.seeds < 2:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.standard_error:.3f}"


@dataclass(frozen=True, slots=True)
class Curve:
    """One strategy's accuracy by number of labels, over seeds."""

    strategy: str
    labels: tuple[int, ...]
    accuracy: tuple[Estimate, ...]


def estimate(values: Sequence[float]) -> Estimate:
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(mean, math.nan, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Estimate(mean, math.sqrt(variance / count), count)


def curves(points: Iterable[Point]) -> list[Curve]:
    """A curve per strategy, in the order in which the strategies come."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        found[point.strategy][point.labels].append(point.accuracy)
    return [
        Curve(name, tuple(sorted(by)), tuple(estimate(by[n]) for n in sorted(by)))
        for name, by in found.items()
    ]


def area_under_curve(points: Sequence[Point]) -> dict[str, Estimate]:
    """Mean accuracy between no label and the last, per strategy (trapezoidal, per run)."""
    runs: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for point in points:
        runs[point.strategy, point.seed].append((point.labels, point.accuracy))
    areas: dict[str, list[float]] = defaultdict(list)
    for (strategy, _), run in runs.items():
        run.sort()
        total = math.fsum(
            (right[0] - left[0]) * (left[1] + right[1]) / 2
            for left, right in itertools.pairwise(run)
        )
        areas[strategy].append(total / (run[-1][0] - run[0][0]))
    return {strategy: estimate(values) for strategy, values in areas.items()}


@dataclass(frozen=True, slots=True)
class TableRow:
    strategy: str
    at: dict[int, Estimate]
    """Accuracy at a number of labels."""
    area: Estimate


def table(points: Sequence[Point], budgets: Sequence[int] = BUDGETS) -> list[TableRow]:
    """Accuracy at the budgets and area under the curve, best area first."""
    areas = area_under_curve(points)
    rows = []
    for curve in curves(points):
        known = dict(zip(curve.labels, curve.accuracy, strict=True))
        at = {budget: known[budget] for budget in (0, *budgets) if budget in known}
        rows.append(TableRow(curve.strategy, at, areas[curve.strategy]))
    return sorted(rows, key=lambda row: -row.area.mean)


def paired_difference(
    points: Iterable[Point], strategy: str, baseline: str, labels: int
) -> Estimate:
    """Mean over seeds of (accuracy of strategy - accuracy of baseline) at a number of labels."""
    found = {
        (p.strategy, p.seed): p.accuracy
        for p in points
        if p.labels == labels and p.strategy in (strategy, baseline)
    }
    seeds = sorted({seed for name, seed in found if name == strategy})
    return estimate([found[strategy, seed] - found[baseline, seed] for seed in seeds])
