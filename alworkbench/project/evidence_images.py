"""One set of labelled images with predictions that did not learn their labels.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from alworkbench.core.domain import ClassList
from alworkbench.evaluation.confusions import Confusions
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.session import stored_id

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class EvidenceImages:
    """One set of labelled images with their predictions. It is equal to itself alone."""

    source: EvidenceSet
    classes: ClassList
    images: Int[np.ndarray, "n"]
    """Image ids."""
    labels: Int[np.ndarray, "n"]
    """Positions in the class list."""
    logits: Float[Tensor, "n C"]
    """Of the learner itself, before any temperature. On the CPU."""
    answers: Float[Tensor, "n C"]
    """Shares of the answers of all people to each image, float64."""
    learner_id: int | None
    """None: the zero-shot model."""
    taught: int
    """Labels that the learner learned from."""

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def predicted(self) -> Int[np.ndarray, "n"]:
        """The likeliest class of each image, as a position in the class list."""
        found: Int[np.ndarray, "n"] = self.logits.softmax(dim=-1).argmax(dim=-1).numpy()
        return found

    @cached_property
    def confusions(self) -> Confusions:
        """Labels against predictions."""
        return Confusions.of(self.classes.names, self.labels, self.predicted)

    def class_ids(self, positions: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
        """Ids of the classes at these positions."""
        ids = np.array([stored_id(each.id) for each in self.classes.classes], np.int64)
        return ids[positions]
