"""Cases for a reviewer: opened where people disagree or a label is probably wrong, and closed by a person.

A label is probably wrong if a learner that did not see it is sure of another class j: the probability of j
is the largest, and at least the mean probability that labels of j have when they are left out. This is the
rule of confident learning (Northcutt et al. 2021, JAIR 70) on the workbench's own left-out predictions.

A resolution is a new answer of the reviewer, which counts alone from then on. Nothing is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from alworkbench.core.domain import (
    REVIEW_SOURCE,
    Answer,
    AnswerKind,
    Label,
    NewReview,
    Review,
    ReviewReason,
    ReviewState,
    Role,
)
from alworkbench.core.errors import UnknownClass
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.project.learners import Learners
    from alworkbench.project.left_out_labels import LeftOutLabel


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """A case with what a reviewer needs to see."""

    review: Review
    hash: str
    path: str
    """The newest place of the image."""
    history: tuple[Label, ...]
    """Every answer to the image, oldest first, those taken back included."""


class Reviews:
    """Opens, lists and closes cases."""

    def __init__(self, session: Session, learners: Callable[[], Learners]) -> None:
        self._session = session
        self._learners = learners

    def open_disagreements(self) -> int:
        """Open a case for each image to which people gave different classes; returns how many were opened.

        Late answers are opinions here, too. An image that a reviewer has settled is no case.
        """
        with self._session.store.read() as reader:
            counted = reader.classes.current().counted
            cases = []
            for role in Role:
                for image, opinions in reader.labels.opinions(role).items():
                    if any(each.source == REVIEW_SOURCE for each in opinions):
                        continue
                    named = {counted.get(each.class_id) for each in opinions if each.class_id}
                    if len(named - {None}) > 1:
                        newest = max(each.id for each in opinions)
                        cases.append(NewReview(image, ReviewReason.DISAGREEMENT, newest))
        if not cases:
            return 0
        with self._session.store.write() as writer:
            return writer.reviews.open(cases, self._session.now())

    def open_label_errors(self) -> int:
        """Open a case for each label that is probably wrong, most doubtful first; returns how many.

        It compares the labels of the newest learner. Raises FeaturesMissing, PosteriorMissing, NoOpenRound
        before the first learner, and TooFewLabels where the learner cannot leave labels out.
        """
        from alworkbench.project.left_out_labels import doubtful, left_out_labels

        found = doubtful(left_out_labels(self._session, self._learners()))
        with self._session.store.write() as writer:
            cases = []
            for each in found:
                history = writer.labels.history(each.image_id)
                reviewed = any(label.source == REVIEW_SOURCE for label in history)
                if history and not reviewed:
                    cases.append(_error(each, history))
            return writer.reviews.open(cases, self._session.now())

    def cases(self, *, closed: bool = False) -> list[ReviewCase]:
        """The open cases, most doubtful first: disagreements, then errors by probability. Or all, by time."""
        with self._session.store.read() as reader:
            found = reader.reviews.all()
            if not closed:
                found = [each for each in found if each.state is ReviewState.OPEN]
                found.sort(key=lambda each: (each.probability or 0.0, each.id))
            images = {each.image_id: reader.images.get(each.image_id) for each in found}
            return [
                ReviewCase(
                    review=each,
                    hash=images[each.image_id].hash,
                    path=images[each.image_id].paths[0] if images[each.image_id].paths else "",
                    history=tuple(reader.labels.history(each.image_id)),
                )
                for each in found
            ]

    def resolve(
        self, review_id: int, by: str, class_name: str | None, note: str | None = None
    ) -> Review:
        """Settle the image with a class; None: nobody can tell. The answer counts alone from now on.

        Raises NotInProject, ReviewClosed and UnknownClass.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            case = writer.reviews.get(review_id)
            classes = writer.classes.current()
            chosen = None
            if class_name is not None:
                if class_name not in classes.names:
                    raise UnknownClass(class_name, classes.names, "The answer")
                chosen = classes.classes[classes.names.index(class_name)].id
            label = writer.labels.add(
                Answer(
                    event_id=f"review:{uuid4().hex}",
                    image_id=case.image_id,
                    kind=AnswerKind.CANNOT_TELL if chosen is None else AnswerKind.CLASS,
                    annotator=by,
                    class_id=chosen,
                    source=REVIEW_SOURCE,
                ),
                now,
            )
            return writer.reviews.close(review_id, by=by, label_id=label.id, note=note, now=now)

    def dismiss(self, review_id: int, by: str, note: str | None = None) -> Review:
        """Leave the answers as they are. The same doubt comes back only after a new answer.

        Raises NotInProject, and ReviewClosed.
        """
        with self._session.store.write() as writer:
            return writer.reviews.close(
                review_id, by=by, label_id=None, note=note, now=self._session.now()
            )


def _error(found: LeftOutLabel, history: list[Label]) -> NewReview:
    newest = max(label.id for label in history)
    return NewReview(found.image_id, ReviewReason.LABEL_ERROR, newest, found.probability)
