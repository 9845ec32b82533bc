"""Learning curves over seeds: a metric by number of labels paid for, per arm, with 95 % t-intervals.

Dimensions used in this file
    n  seeds
    R  rounds, or any other axis of which each entry has its own n values
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from alworkbench.core.domain import Arm, SimulationPoint
from alworkbench.evaluation.intervals import Estimate, Floats, estimate, estimates

BUDGETS = (10, 20, 50, 100)
"""Label counts that tables show, as far as the runs go."""
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "nlpd", "brier", "ece", "ece_floor")
"""Of a point, each one number."""
LOWER_IS_BETTER = ("nlpd", "brier", "ece")
NO_SHARES = ("nlpd", "brier")
"""Measures that do not lie between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One learner, for the charts of the screens."""

    strategy: str
    """The arm's name among the arms of its result."""
    seed: int
    labels: int
    """Paid for."""
    accuracy: float


@dataclass(frozen=True, slots=True)
class Runs:
    """One metric of one arm: a line per seed over labels paid for."""

    arm: Arm
    seeds: tuple[int, ...]
    paid: Floats
    """R label counts, rising."""
    values: Floats
    """n x R."""

    def at(self, paid: float | int) -> Floats:
        """n values at a number of labels, between rounds by a straight line."""
        if not self.paid[0] <= paid <= self.paid[-1]:
            raise ValueError(f"{paid:g} labels lie outside {self.paid[0]:g} to {self.paid[-1]:g}")
        return np.array([np.interp(paid, self.paid, line) for line in self.values])

    def at_all(self, paid: Floats) -> Floats:
        """n x len(paid) values, all inside the curve."""
        return np.stack([np.interp(paid, self.paid, line) for line in self.values])

    def areas(self) -> Floats:
        """n means over the curve: its trapezoidal area divided by its width."""
        if len(self.paid) < 2:
            return self.values[:, 0].copy()
        middle = (self.values[:, 1:] + self.values[:, :-1]) / 2
        return np.asarray(middle @ np.diff(self.paid) / (self.paid[-1] - self.paid[0]))

    def of(self, seeds: Sequence[int]) -> Runs:
        """The same for some of its seeds, in their order."""
        chosen = [self.seeds.index(seed) for seed in seeds]
        return Runs(self.arm, tuple(seeds), self.paid, self.values[chosen])


@dataclass(frozen=True, slots=True)
class Curve:
    """One arm's metric by number of labels paid for, over seeds."""

    arm: Arm
    paid: tuple[float, ...]
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """A strategy's row in the table of a simulation."""

    strategy: str
    """The arm's name among the arms of its result."""
    at: dict[int, Estimate]
    """Accuracy at a number of labels paid for."""
    area: Estimate


def runs(points: Iterable[SimulationPoint], metric: str = "accuracy") -> list[Runs]:
    """The values of every arm by seed, in the order of the arms.

    Seeds may have paid for different numbers of labels, because skips are random. Their values are
    interpolated linearly on the union of all numbers, within the range that all seeds cover.
    """
    found: dict[Arm, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        found[point.arm][point.seed].append((float(point.paid), float(getattr(point, metric))))
    return [_laid(arm, by_seed) for arm, by_seed in found.items()]


def _laid(arm: Arm, by_seed: dict[int, list[tuple[float, float]]]) -> Runs:
    lines = {}
    for seed in sorted(by_seed):
        # A round without labels repeats a count: the last value counts.
        at = dict(sorted(by_seed[seed], key=lambda pair: pair[0]))
        lines[seed] = (np.array(list(at)), np.array(list(at.values())))
    first = max(paid[0] for paid, _ in lines.values())
    last = min(paid[-1] for paid, _ in lines.values())
    union = np.unique(np.concatenate([paid for paid, _ in lines.values()]))
    grid = union[(union >= first) & (union <= last)]
    values = np.stack([np.interp(grid, paid, line) for paid, line in lines.values()])
    return Runs(arm, tuple(lines), grid, values)


def names(arms: Sequence[Arm]) -> dict[Arm, str]:
    """What each arm is called among the others."""
    return {arm: arm.words(tuple(arms)) for arm in arms}


def rows(points: Sequence[SimulationPoint]) -> list[Row]:
    """One row for each point: strategy, seed, labels paid, accuracy."""
    called = names(tuple(dict.fromkeys(point.arm for point in points)))
    return [Row(called[p.arm], p.seed, p.paid, p.accuracy) for p in points]


def curves(points: Iterable[SimulationPoint], metric: str = "accuracy") -> list[Curve]:
    """A curve per arm, in the order in which arms come."""
    return [
        Curve(each.arm, tuple(each.paid.tolist()), estimates(each.values))
        for each in runs(points, metric)
    ]


def area_under_curve(
    points: Iterable[SimulationPoint], metric: str = "accuracy"
) -> dict[Arm, Estimate]:
    """Mean of a metric between the first and the last label, per arm (trapezoidal, per run)."""
    return {each.arm: estimate(each.areas()) for each in runs(points, metric)}


def budgets_of(arms: Sequence[Runs], wanted: Sequence[int] = BUDGETS) -> list[int]:
    """Where tables look: the first count, the wanted ones that all arms reach, and the last."""
    first = max(each.paid[0] for each in arms)
    last = min(each.paid[-1] for each in arms)
    inside = {int(budget) for budget in wanted if first < budget < last}
    return sorted(inside | {int(first), int(last)})


def table(
    points: Sequence[SimulationPoint], budgets: Sequence[int] = BUDGETS, metric: str = "accuracy"
) -> list[TableRow]:
    """A metric at the budgets and its mean over the curve, the best mean first."""
    every = runs(points, metric)
    called = names([each.arm for each in every])
    shown = budgets_of(every, budgets)
    found = [
        TableRow(
            called[each.arm],
            dict(zip(shown, estimates(np.stack([each.at(b) for b in shown], axis=1)), strict=True)),
            estimate(each.areas()),
        )
        for each in every
    ]
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return sorted(found, key=lambda row: sign * row.area.mean)
