"""Cases for a reviewer: opened where people disagree or a label is probably wrong, and closed by a person.

A label is probably wrong if a learner that did not see it finds another class several times as likely
(`left_out_labels.doubtful`).

A resolution is a new answer of the reviewer, which counts alone from then on: every open case of the image is
closed with it. A reviewer who is not sure passes a case on: it becomes a second opinion, which another
reviewer gives. While one is asked for, the image has no other open case. Nothing is removed.
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
from alworkbench.core.errors import SecondOpinionAsked, UnknownClass
from alworkbench.core.ports import Writer
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.project.learners import Learners
    from alworkbench.project.left_out_labels import LeftOutLabel


ODDS = 5.0
"""A label is probably wrong where another class is more times as likely (E1, docs/experiments/people.md)."""

_ORDER = {
    ReviewReason.SECOND_OPINION: 0,
    ReviewReason.DISAGREEMENT: 1,
    ReviewReason.LABEL_ERROR: 2,
}


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """A case with what a reviewer needs to see."""

    review: Review
    hash: str
    path: str
    """The newest place of the image."""
    history: tuple[Label, ...]
    """Every answer to the image, oldest first, those taken back included."""
    earlier: tuple[Review, ...] = ()
    """Closed cases of the same image that were opened before this one, oldest first."""


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

    def open_label_errors(self, odds: float = ODDS) -> int:
        """Open a case for each label that is probably wrong, most doubtful first; returns how many.

        `odds` is the cut of `left_out_labels.doubtful`. It compares the labels of the newest learner. Raises
        FeaturesMissing, PosteriorMissing, NoOpenRound before the first learner, and TooFewLabels where the
        learner cannot leave labels out.
        """
        from alworkbench.project.left_out_labels import doubtful, left_out_labels

        found = doubtful(left_out_labels(self._session, self._learners()), odds)
        with self._session.store.write() as writer:
            classes = writer.classes.current().classes
            cases = []
            for each in found:
                history = writer.labels.history(each.image_id)
                reviewed = any(label.source == REVIEW_SOURCE for label in history)
                if history and not reviewed:
                    cases.append(_error(each, history, classes[each.predicted].id))
            return writer.reviews.open(cases, self._session.now())

    def cases(self, *, closed: bool = False) -> list[ReviewCase]:
        """The open cases: second opinions, disagreements, errors by their odds. Or all cases, by time."""
        with self._session.store.read() as reader:
            every = reader.reviews.all()
            found = every
            if not closed:
                found = [each for each in every if each.state is ReviewState.OPEN]
                found.sort(key=lambda each: (_ORDER[each.reason], -(each.odds or 0.0), each.id))
            earlier: dict[int, list[Review]] = {}
            for each in every:
                if each.state is not ReviewState.OPEN:
                    earlier.setdefault(each.image_id, []).append(each)
            images = {each.image_id: reader.images.get(each.image_id) for each in found}
            return [
                ReviewCase(
                    review=each,
                    hash=images[each.image_id].hash,
                    path=images[each.image_id].paths[0] if images[each.image_id].paths else "",
                    history=tuple(reader.labels.history(each.image_id)),
                    earlier=tuple(e for e in earlier.get(each.image_id, ()) if e.id < each.id),
                )
                for each in found
            ]

    def resolve(
        self,
        review_id: int,
        by: str,
        class_name: str | None,
        note: str | None = None,
        *,
        seconds: float | None = None,
    ) -> Review:
        """Settle the image with a class; None: nobody can tell. The answer counts alone from now on.

        It closes every open case of the image. `seconds` is how long the reviewer looked. Raises
        NotInProject, ReviewClosed, UnknownClass, and SecondOpinionAsked for whoever asked for this opinion.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            case = writer.reviews.get(review_id)
            others = _others(writer, case)
            for each in (case, *others):
                _refuse_own(each, by)
            chosen = _class_id(writer, class_name)
            label = writer.labels.add(
                Answer(
                    event_id=f"review:{uuid4().hex}",
                    image_id=case.image_id,
                    kind=AnswerKind.CANNOT_TELL if chosen is None else AnswerKind.CLASS,
                    annotator=by,
                    class_id=chosen,
                    source=REVIEW_SOURCE,
                    duration_ms=None if seconds is None else round(1000 * seconds),
                ),
                now,
            )
            for each in others:
                writer.reviews.close(each.id, by=by, label_id=label.id, note=note, now=now)
            return writer.reviews.close(review_id, by=by, label_id=label.id, note=note, now=now)

    def dismiss(self, review_id: int, by: str, note: str | None = None) -> Review:
        """Leave the answers as they are. The same doubt comes back only after a new answer.

        Raises NotInProject, and ReviewClosed.
        """
        with self._session.store.write() as writer:
            return writer.reviews.close(
                review_id, by=by, label_id=None, note=note, now=self._session.now()
            )

    def pass_on(
        self, review_id: int, by: str, class_name: str | None, note: str | None = None
    ) -> Review:
        """Ask another reviewer: close every open case of the image, and return the new second opinion.

        `class_name` is what this reviewer saw (None: cannot tell); it is kept and counts nowhere. Raises
        NotInProject, ReviewClosed, UnknownClass, and SecondOpinionAsked for whoever asked for this opinion.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            case = writer.reviews.get(review_id)
            for each in (case, *_others(writer, case)):
                _refuse_own(each, by)
            seen = _class_id(writer, class_name)
            return writer.reviews.pass_on(
                review_id, by=by, opinion_class_id=seen, note=note, now=now
            )


def _class_id(writer: Writer, class_name: str | None) -> int | None:
    classes = writer.classes.current()
    if class_name is None:
        return None
    if class_name not in classes.names:
        raise UnknownClass(class_name, classes.names, "The answer")
    return classes.classes[classes.names.index(class_name)].id


def _error(found: LeftOutLabel, history: list[Label], predicted: int | None) -> NewReview:
    return NewReview(
        found.image_id,
        ReviewReason.LABEL_ERROR,
        max(label.id for label in history),
        found.probability,
        predicted,
        found.of_predicted,
    )


def _refuse_own(case: Review, by: str) -> None:
    if case.asked_by == by:
        raise SecondOpinionAsked(case.id, by)


def _others(writer: Writer, case: Review) -> list[Review]:
    """The other open cases of the image."""
    return [
        each
        for each in writer.reviews.all()
        if each.image_id == case.image_id and each.id != case.id and each.state is ReviewState.OPEN
    ]
