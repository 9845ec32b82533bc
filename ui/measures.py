"""Figures of the curves page, computed from records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alworkbench.core.domain import MetricRecord
from alworkbench.evaluation.curves import Row
from alworkbench.evaluation.intervals import Estimate, estimate
from alworkbench.project.measured_accuracy import Accuracy, accuracy_of, finite_number


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One strategy after some labels, over seeds."""

    strategy: str
    labels: int
    accuracy: Estimate
    """Mean over seeds with its 95 % interval, as in reports."""


@dataclass(frozen=True, slots=True)
class ClassChange:
    """Recall of a class before and after a round."""

    name: str
    before: float
    after: float

    @property
    def points(self) -> float:
        """The difference in percentage points."""
        return 100 * (self.after - self.before)


def summarise(rows: Iterable[Row]) -> list[CurvePoint]:
    """Mean over seeds with its 95 % interval, by strategy and number of labels.

    A seed that appears twice at one point counts once, with its last value. Strategies keep their
    order of appearance.
    """
    by_point: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    order: dict[str, int] = {}
    for row in rows:
        order.setdefault(row.strategy, len(order))
        by_point[row.strategy, row.labels][row.seed] = row.accuracy
    points = [
        CurvePoint(strategy, labels, estimate(list(by_seed.values())))
        for (strategy, labels), by_seed in by_point.items()
    ]
    return sorted(points, key=lambda p: (order[p.strategy], p.labels))


def audit_curve(metrics: Iterable[MetricRecord]) -> list[Accuracy]:
    """Accuracy on the audit set by number of labels; records without an accuracy are left out."""
    found = (accuracy_of(record) for record in metrics)
    return sorted((a for a in found if a is not None), key=lambda a: a.labels)


def class_changes(before: MetricRecord, after: MetricRecord) -> list[ClassChange]:
    """Accuracy before and after for each class of both records, in the order of the newer one."""
    old, new = _per_class(before), _per_class(after)
    return [ClassChange(name, old[name], value) for name, value in new.items() if name in old]


def _per_class(record: MetricRecord) -> dict[str, float]:
    per_class = record.values.get("per_class")
    if not isinstance(per_class, Mapping):
        return {}
    numbers = ((str(name), finite_number(value)) for name, value in per_class.items())
    return {name: value for name, value in numbers if value is not None}
