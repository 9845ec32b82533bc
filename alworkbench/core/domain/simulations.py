"""Simulations: the arms that are compared, and the points of their learning curves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from alworkbench.core.domain.project_settings import DEFAULT_ADAPTATION

BASELINE_STRATEGY = "random"
"""The strategy that others are compared with."""
BASELINE_METHODS = ("probe", "free-weights")
"""Learning methods of labels alone. Simulations run the baseline strategy with them too, so that a learner
that uses more than labels is compared with what labels alone give."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration that is compared with others. An arm and a seed make a run."""

    strategy: str
    adaptation: str = DEFAULT_ADAPTATION
    batch_size: int = 10

    def words(self, others: tuple[Arm, ...] = ()) -> str:
        """The strategy, and what differs between it and other arms of this strategy: `random (probe)`.

        The baseline strategy tells its learning method wherever any other arm has another one, because
        simulations run it with learning methods that no other strategy has.
        """
        alike = [other for other in others if other.strategy == self.strategy]
        learners = others if self.strategy == BASELINE_STRATEGY else alike
        parts = []
        if any(other.adaptation != self.adaptation for other in learners):
            parts.append(self.adaptation)
        if any(other.batch_size != self.batch_size for other in alike):
            parts.append(f"batches of {self.batch_size}")
        return f"{self.strategy} ({', '.join(parts)})" if parts else self.strategy


@dataclass(frozen=True, slots=True)
class SimulationPoint:
    """One round of one run: its learner, measured on the test part.

    Round 0 is the zero-shot model. `labels`, `paid` and `asked` count from the start of the run; all other
    values are of this round.
    """

    arm: Arm
    seed: int
    round: int
    labels: int
    """Labels learned from."""
    paid: int
    """Images that cost an annotator time: all images asked, skipped ones too, and the audit set. Curves
    are drawn over it."""
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
    """Recall of each class in the test part; None for a class without test images."""
    classes_asked: tuple[int, ...]
    """How many images of each true class this round asked; the last entry counts images of no class."""
    images: tuple[str, ...]
    """Content hashes of the images that this round asked, in order."""
    seconds_asking: float
    seconds_learning: float
    seconds_measuring: float
    seconds_answering: float
    """Seconds that the oracle's answers would have taken an annotator."""
    peak_bytes: int
    """Peak memory of the process so far, in bytes."""

    def without_costs(self) -> SimulationPoint:
        """The values that do not depend on the machine: equal for equal plan, data and code."""
        return replace(
            self, seconds_asking=0.0, seconds_learning=0.0, seconds_measuring=0.0, peak_bytes=0
        )

    def as_row(self) -> dict[str, Any]:
        """A flat row for tables: the fields of the arm and those of the point."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        return asdict(row.pop("arm")) | row


POINT_COLUMNS = tuple(
    each.name for each in (*fields(Arm), *fields(SimulationPoint)) if each.name != "arm"
)
"""Columns of `SimulationPoint.as_row`, in order."""
