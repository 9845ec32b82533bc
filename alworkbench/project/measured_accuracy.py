"""The accuracy on the audit set that a measurement holds, and whether two of them differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from alworkbench.core.domain import MetricRecord


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy on the audit set with its 95 % interval, where one was recorded."""

    labels: int
    value: float
    low: float | None
    high: float | None
    images: int


def accuracy_of(record: MetricRecord) -> Accuracy | None:
    """The accuracy of a record with its interval; None if it has none."""
    value = finite_number(record.values.get("accuracy"))
    if value is None:
        return None
    return Accuracy(
        record.labels,
        value,
        finite_number(record.values.get("accuracy_low")),
        finite_number(record.values.get("accuracy_high")),
        record.audit_images,
    )


def intervals_overlap(a: Accuracy, b: Accuracy) -> bool | None:
    """Whether the two 95 % intervals share a value; None where one has no interval."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None
    return a.low <= b.high and b.low <= a.high


def finite_number(value: object) -> float | None:
    """The value, if it is a finite number; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
