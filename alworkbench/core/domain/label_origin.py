"""Labels that another project recorded, with where and how they were asked for there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alworkbench.core.domain.answers import Answer


@dataclass(frozen=True, slots=True)
class LabelOrigin:
    """Where and how a label was asked for in the project that recorded it. None: not asked by a round."""

    round: int | None = None
    """The number of the round."""
    position: int | None = None
    """In the round, from 1."""
    strategy: str | None = None
    score: float | None = None
    """The strategy's, in the unit of the strategy."""
    draw_probability: float | None = None
    """Probability of this draw among the images left at that time."""
    suggestion: str | None = None
    """The class that was suggested, as it was named then."""
    suggestion_probability: float | None = None
    calibration: str | None = None
    """On what this probability is calibrated, in words."""
    class_list: int | None = None
    """The version of the class list, as that project counts them."""
    posterior: int | None = None
    learner: int | None = None
    project: str | None = None
    """The name of the project."""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """An answer that was recorded elsewhere, with its own time."""

    answer: Answer
    recorded_at: datetime
    origin: LabelOrigin
