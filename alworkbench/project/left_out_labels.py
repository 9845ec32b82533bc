"""What the newest learner thinks of each label that it learned from, when this label is left out.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.learner_file import load_learner
from alworkbench.adaptation.leave_one_out import leave_one_out, leaves_out
from alworkbench.core.domain import SMALLEST_PROBABILITY, ClassList, LearnerRecord, Role
from alworkbench.core.errors import NoOpenRound, TooFewLabels
from alworkbench.project.learners import Learners
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class LeftOutLabel:
    """A label of the newest learner, and the prediction without it."""

    image_id: int
    given: int
    """Class index of the label: the most likely class of the target."""
    predicted: int
    """The most likely class without the label."""
    probability: float
    """Of the given class, without the label."""
    of_predicted: float

    @property
    def odds(self) -> float:
        """How many times as likely as the given class the most likely class is, without the label."""
        return self.of_predicted / max(self.probability, SMALLEST_PROBABILITY)


@dataclass(frozen=True, slots=True)
class LeftOutPredictions:
    """Predictions of the newest learner for labelled images that are still in the pool."""

    learner: LearnerRecord
    classes: ClassList
    """The newest ones when they were made."""
    images: tuple[int, ...]
    """Image ids."""
    given: Int[Tensor, "n"]
    """Class index of each label: the most likely class of the target."""
    logits: Float[Tensor, "n C"]
    """Without the label, on the CPU."""


def left_out_labels(session: Session, learners: Learners) -> list[LeftOutLabel]:
    """Every label of the newest learner whose image is still in the pool.

    Raises NoOpenRound before the first learner, and TooFewLabels where labels cannot be left out.
    """
    found = left_out_predictions(session, learners)
    left = found.logits.softmax(dim=-1)  # n C
    top = left.max(dim=-1)
    of_given = left.gather(1, found.given[:, None])[:, 0]
    rows = zip(
        found.images,
        found.given.tolist(),
        top.indices.tolist(),
        of_given.tolist(),
        top.values.tolist(),
        strict=True,
    )
    return [LeftOutLabel(*row) for row in rows]


def left_out_predictions(session: Session, learners: Learners) -> LeftOutPredictions:
    """What `left_out_labels` is made of, as of one moment; raises the same."""
    with session.store.read() as reader:
        newest = reader.computed.learner()
        if newest is None:
            raise NoOpenRound
        classes, record = reader.classes.current(), session.posterior_record(reader)
        image_of = {content: image for image, content in reader.images.ids_and_hashes(Role.POOL)}
    learner = learners.load(newest, classes, record)
    stored = load_learner(session.folder.path / newest.file)
    if stored.labels is None or not leaves_out(learner):
        raise TooFewLabels(
            "To look for wrong labels, a learner of the default method",
            newest.labels,
            1,
            "that it learned from and can leave out",
            "Label some images and close the round. Nothing was changed.",
        )
    targets, _ = stored.labels
    left = leave_one_out(learner, targets).logits.cpu()
    kept = [row for row, content in enumerate(stored.hashes) if content in image_of]
    return LeftOutPredictions(
        newest,
        classes,
        tuple(image_of[stored.hashes[row]] for row in kept),
        targets.argmax(dim=-1).cpu()[kept],
        left[kept],
    )


def doubtful(labels: Sequence[LeftOutLabel], odds: float) -> list[LeftOutLabel]:
    """Labels without which another class is more than `odds` times as likely, the most doubtful first.

    The cut and what it finds: E1 of docs/experiments/people.md.
    """
    return sorted(
        (each for each in labels if each.odds > odds), key=lambda each: each.odds, reverse=True
    )
