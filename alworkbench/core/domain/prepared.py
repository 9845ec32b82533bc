"""The next round, prepared while a round is open: its batch, and the learner that ranked it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alworkbench.core.domain.new_rounds import NewRound


@dataclass(frozen=True, slots=True)
class AheadLearner:
    """A learner of the labels of a round that is not finished. Its record is made when its round opens."""

    posterior_id: int
    class_list_id: int
    file: str
    """Relative to the project folder."""
    labels: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PreparedRound:
    """A batch that can follow a round at once."""

    after_round_id: int
    """The round that was open when it was ranked."""
    learner: AheadLearner
    batch: NewRound
    """Its `learner_id` is that of no learner yet."""
    created_at: datetime
