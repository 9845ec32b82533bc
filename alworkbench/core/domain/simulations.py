"""Simulations: the arms that are compared, and the points of their learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from alworkbench.core.domain.project import DEFAULT_ADAPTATION


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of working that is compared with others: everything of a run but its seed."""

    strategy: str
    adaptation: str = DEFAULT_ADAPTATION
    batch_size: int = 10

    def words(self, others: tuple[Arm, ...] = ()) -> str:
        """Its name, with only what tells it from the others."""
        parts = [self.strategy]
        if any(other.adaptation != self.adaptation for other in others):
            parts.append(self.adaptation)
        if any(other.batch_size != self.batch_size for other in others):
            parts.append(f"batches of {self.batch_size}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class SimulationRecord:
    """A finished simulation, as a store knows it; its points are kept beside it."""

    key: str
    """Names plan, data and code: another of them is another simulation."""
    name: str
    created_at: datetime
    plan: Mapping[str, Any]
    facts: Mapping[str, Any]
    """What its figures must be read with: data set, sizes, versions."""


@dataclass(frozen=True, slots=True)
class SimulationPoint:
    """One learner of one run, measured on the test part: what one round came to.

    Round 0 is the model as it came. Everything is per round but `labels`, `paid` and `asked`, which
    count from the start.
    """

    arm: Arm
    seed: int
    round: int
    labels: int
    """Labels learned from."""
    paid: int
    """Images paid for: every one asked, whether or not it taught anything, and the audit set. The
    honest horizontal axis: a skipped image costs an annotator as well."""
    asked: int
    """Images shown, skipped and unclear ones included."""
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    nlpd: float
    brier: float
    ece: float
    ece_floor: float
    """What ECE would be, on average, of a perfectly calibrated model with these confidences."""
    recall: tuple[float | None, ...]
    """Share found of each class in the test part; None where it has none."""
    classes_asked: tuple[int, ...]
    """Images of each (true) class that this round asked; one more at the end: of no class."""
    images: tuple[str, ...]
    """Content hashes of the images that this round asked, in order."""
    seconds_asking: float
    seconds_learning: float
    seconds_measuring: float
    seconds_answering: float
    """What the oracle's answers would have cost, by its recorded times."""
    peak_bytes: int
    """Most memory of the process so far, everything included."""

    def without_costs(self) -> SimulationPoint:
        """What does not depend on the machine: equal for equal plan, data and code."""
        return replace(
            self, seconds_asking=0.0, seconds_learning=0.0, seconds_measuring=0.0, peak_bytes=0
        )

    def as_row(self) -> dict[str, Any]:
        """Flat, as tables hold it: the arm's fields stand beside the point's own."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        return asdict(row.pop("arm")) | row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> SimulationPoint:
        """The point of which this is the row, whose lists may be lists or tuples."""
        values: dict[str, Any] = {
            name: tuple(row[name]) if name in POINT_LISTS else row[name] for name in POINT_COLUMNS
        }
        arm = Arm(**{each.name: values.pop(each.name) for each in fields(Arm)})
        return cls(arm, **values)


POINT_COLUMNS = tuple(
    each.name for each in (*fields(Arm), *fields(SimulationPoint)) if each.name != "arm"
)
"""Of `SimulationPoint.as_row`, in this order."""


POINT_LISTS = ("recall", "classes_asked", "images")
"""Those of them that hold several values each."""
