"""Cases for a reviewer: opened where people disagree or a label is probably wrong, and closed by a person.

A label is probably wrong if a learner that did not see it finds another class several times as likely
(`left_out_labels.doubtful`). A resolution is a new answer of the reviewer, which counts alone from then on:
every open case of the image is closed with it. A reviewer who is not sure passes a case on: it becomes a
second opinion, which another reviewer gives; meanwhile the image has no other open case. Nothing is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from alworkbench.core.domain import (
    REVIEW_SOURCE,
    Answer,
    AnswerKind,
    JobKind,
    Label,
    NewReview,
    Review,
    ReviewReason,
    ReviewState,
)
from alworkbench.core.errors import CaseChanged, ReviewClosed, SecondOpinionAsked, UnknownClass
from alworkbench.core.ports import Writer
from alworkbench.core.progress import Progress, silent
from alworkbench.project.review_cases import (
    LOOK,
    ReviewCase,
    Waiting,
    different_answers,
    errors_since,
    first_waiting,
    newest_closed,
    open_case,
    open_in_order,
    with_evidence,
)
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.project.learners import Learners
    from alworkbench.project.left_out_labels import LeftOutLabel


ODDS = 5.0
"""A label is probably wrong where another class is more times as likely (E1, docs/experiments/people.md)."""


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
            cases = different_answers(reader)
        if not cases:
            return 0
        with self._session.store.write() as writer:
            return writer.reviews.open(cases, self._session.now())

    def open_label_errors(self, odds: float = ODDS, progress: Progress = silent) -> int:
        """Open a case for each label that is probably wrong, most doubtful first; returns how many.

        `odds` is the cut of `left_out_labels.doubtful`. It compares the labels of the newest learner. Raises
        FeaturesMissing, PosteriorMissing, NoOpenRound before the first learner, TooFewLabels where the
        learner cannot leave labels out, JobRuns and JobCancelled.
        """
        from alworkbench.project.left_out_labels import doubtful, left_out_labels

        with self._session.jobs.claim(JobKind.ERRORS, lambda: LOOK, progress) as told:
            told("leaving each label out", 0, 1)
            found = doubtful(left_out_labels(self._session, self._learners()), odds)
            told("leaving each label out", 1, 1)  # the last moment at which it can be stopped
            with self._session.store.write() as writer:
                classes = writer.classes.current().classes
                cases = []
                for each in found:
                    history = writer.labels.history(each.image_id)
                    if history and all(label.source != REVIEW_SOURCE for label in history):
                        cases.append(_error(each, history, classes[each.predicted].id))
                return writer.reviews.open(cases, self._session.now())

    def errors_opened(self, begun: datetime) -> int:
        """See `review_cases.errors_since`."""
        with self._session.store.read() as reader:
            return errors_since(reader, begun)

    def cases(self, *, closed: bool = False) -> list[ReviewCase]:
        """The open cases: second opinions, disagreements, errors by their odds. Or all cases, by time."""
        with self._session.store.read() as reader:
            every = reader.reviews.all()
            return with_evidence(reader, every if closed else open_in_order(every), every)

    def closed(self, most: int, before: datetime | None = None) -> list[ReviewCase]:
        """At most that many closed cases, newest first; with `before`, of those closed earlier."""
        with self._session.store.read() as reader:
            return newest_closed(reader, most, before)

    def case(self, review_id: int) -> ReviewCase:
        """An open case as it is now. Raises NotInProject, and ReviewClosed."""
        with self._session.store.read() as reader:
            return open_case(reader, review_id)

    def waiting(
        self,
        by: str,
        reason: ReviewReason | None = None,
        *,
        later: Sequence[int] = (),
        most: int | None = None,
    ) -> Waiting:
        """The open cases of a kind (None: of every kind) in the order in which this reviewer is shown them.

        The order is that of `cases`; the ids of `later` follow behind in their order, and what this reviewer
        asked comes last.
        """
        with self._session.store.read() as reader:
            return first_waiting(reader, by, reason, later, most)

    def resolve(
        self,
        review_id: int,
        by: str,
        class_name: str | None,
        note: str | None = None,
        *,
        seconds: float | None = None,
        event_id: str | None = None,
        version: str | None = None,
    ) -> Review:
        """Settle the image with a class; None: nobody can tell. The answer counts alone from now on.

        It closes every open case of the image. `seconds` is how long the reviewer looked. A repeated
        `event_id` returns what it did before. `version` is that of the `ReviewCase` that the reviewer saw.
        Raises NotInProject, ReviewClosed, CaseChanged, UnknownClass, and SecondOpinionAsked for whoever asked
        for this opinion.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            if done := _done_before(writer, event_id, review_id, by):
                return done
            case = _as_seen(writer, review_id, version)
            others = _others(writer, case)
            for each in (case, *others):
                _refuse_own(each, by)
            chosen = _class_id(writer, class_name)
            label = writer.labels.add(
                Answer(
                    event_id=f"review:{event_id or uuid4().hex}",
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
            return writer.reviews.close(
                review_id, by=by, label_id=label.id, note=note, now=now, event_id=event_id
            )

    def dismiss(
        self,
        review_id: int,
        by: str,
        note: str | None = None,
        *,
        event_id: str | None = None,
        version: str | None = None,
    ) -> Review:
        """Leave the answers as they are. The same doubt comes back only after a new answer.

        `event_id` and `version` are those of `resolve`. Raises NotInProject, ReviewClosed and CaseChanged.
        """
        with self._session.store.write() as writer:
            if done := _done_before(writer, event_id, review_id, by):
                return done
            _as_seen(writer, review_id, version)
            return writer.reviews.close(
                review_id,
                by=by,
                label_id=None,
                note=note,
                now=self._session.now(),
                event_id=event_id,
            )

    def pass_on(
        self,
        review_id: int,
        by: str,
        class_name: str | None,
        note: str | None = None,
        *,
        event_id: str | None = None,
        version: str | None = None,
    ) -> Review:
        """Ask another reviewer: close every open case of the image, and return the new second opinion.

        `class_name` is what this reviewer saw (None: cannot tell); it is kept and counts nowhere. `event_id`
        and `version` are those of `resolve`. Raises NotInProject, ReviewClosed, CaseChanged, UnknownClass,
        and SecondOpinionAsked for whoever asked for this opinion.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            if done := _done_before(writer, event_id, review_id, by):
                return _asked_with(writer, done)
            case = _as_seen(writer, review_id, version)
            for each in (case, *_others(writer, case)):
                _refuse_own(each, by)
            seen = _class_id(writer, class_name)
            return writer.reviews.pass_on(
                review_id, by=by, opinion_class_id=seen, note=note, now=now, event_id=event_id
            )


def _as_seen(writer: Writer, review_id: int, version: str | None) -> Review:
    """The case, which a reviewer saw in this version; None: whatever it is now."""
    if version is None:
        return writer.reviews.get(review_id)
    case = open_case(writer, review_id)
    if case.version != version:
        raise CaseChanged(review_id)
    return case.review


def _done_before(writer: Writer, event_id: str | None, review_id: int, by: str) -> Review | None:
    """The case that this event closed before; None where it is new. It acts once, for who sent it first."""
    done = None if event_id is None else writer.reviews.by_event(event_id)
    if done is not None and (done.closed_by, done.id) != (by, review_id):
        raise ReviewClosed(done.id, done.state.value, done.closed_by)
    return done


def _asked_with(writer: Writer, passed: Review) -> Review:
    """The second opinion that was asked for when this case was closed."""
    return next(
        each
        for each in writer.reviews.all()
        if each.image_id == passed.image_id
        and each.id > passed.id
        and each.reason is ReviewReason.SECOND_OPINION
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
