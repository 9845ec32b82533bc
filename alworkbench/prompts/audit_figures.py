"""How good the predictions of prompts are on labelled images that nothing was learned from.

Dimensions used in this file
    m  labelled images of the audit set
    C  classes
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.evaluation.metrics import measure


@dataclass(frozen=True, slots=True)
class AuditPart:
    """Labelled images of an audit set."""

    images: Float[Tensor, "m D"]
    """Unit image embeddings."""
    labels: Int[Tensor, "m"]
    """Index of the class."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class AuditFigures:
    """Of predictions on an audit set; see `evaluation.metrics.Metrics`."""

    accuracy: float
    ece: float
    ece_floor: float
    """What `ece` would be on average if these confidences were perfectly calibrated."""
    nlpd: float
    """In nats."""

    @classmethod
    def of(cls, probabilities: Float[Tensor, "m C"], labels: Int[Tensor, "m"]) -> AuditFigures:
        """Measure predictions against the labels; at least one is needed."""
        found = measure(probabilities, labels)
        return cls(found.accuracy, found.ece, found.ece_floor, found.nlpd)
