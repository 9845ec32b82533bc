"""What the page of a reviewer says of a case, its answers, the model and earlier decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alworkbench.core.domain import (
    AnswerKind,
    ClassList,
    Label,
    Review,
    ReviewReason,
    ReviewState,
)
from alworkbench.project.review_cases import ReviewCase

CANNOT_TELL = "Cannot tell"
REASONS = {
    ReviewReason.DISAGREEMENT: "Disagreements",
    ReviewReason.LABEL_ERROR: "Likely errors",
    ReviewReason.SECOND_OPINION: "Second opinions",
}
"""Kinds of cases, as the filter names them."""
GONE = "a class that is gone"
MOST_TIMES = 1000
"""A larger ratio of two probabilities says no more."""


def opened_words(case: ReviewCase, waiting: int) -> str:
    """The number of a case, why it is one, since when, and how many are left."""
    review = case.review
    why = {
        ReviewReason.DISAGREEMENT: "people gave different classes",
        ReviewReason.LABEL_ERROR: "the label is probably wrong",
        ReviewReason.SECOND_OPINION: f"{review.asked_by} asks for a second opinion",
    }[review.reason]
    return f"Case {review.id}, 1 of {waiting}: {why}. Opened {_when(review.opened_at)}."


def said_words(label: Label, classes: ClassList) -> str:
    """Who answered what, when."""
    said = label.kind.value.replace("_", " ")
    if label.kind is AnswerKind.CLASS:
        said = _class_name(label.class_id, classes)
    late = ", too late" if label.late is not None else ""
    return f"{label.annotator}: {said} ({_when(label.recorded_at)}{late})"


def model_words(review: Review, classes: ClassList) -> str:
    """The opinion of a model that did not learn the label; empty where it was not asked."""
    if review.probability is None:
        return ""
    given = f"A model that did not learn this label gives it {_share(review.probability)}"
    if review.odds is None or review.predicted_probability is None:
        return f"{given}."
    predicted = _class_name(review.predicted_class_id, classes)
    times = f"{review.odds:,.0f}" if review.odds < MOST_TIMES else f"more than {MOST_TIMES:,}"
    return (
        f"{given}, and {predicted} {_share(review.predicted_probability)}: {times} times as much. "
        f"The model errs, too: about every second such label is right."
    )


def trail_words(review: Review, classes: ClassList) -> str:
    """What a reviewer did with a closed case, when and why."""
    did = _outcome(review, classes)
    when = _when(review.closed_at) if review.closed_at else ""
    return f"{review.closed_by} {did} ({when})" + (f": {review.note}" if review.note else "")


def closed_table(cases: Sequence[ReviewCase], classes: ClassList) -> dict[str, list[str]]:
    """Columns of a table of closed cases, the newest first."""
    newest = sorted(
        (case for case in cases if case.review.closed_at is not None),
        key=lambda case: (case.review.closed_at, case.review.id),
        reverse=True,
    )
    return {
        "Case": [str(c.review.id) for c in newest],
        "Image": [c.path for c in newest],
        "Why": [REASONS[c.review.reason] for c in newest],
        "Outcome": [_closed_words(c, classes) for c in newest],
        "By": [c.review.closed_by or "" for c in newest],
        "When": [_when(c.review.closed_at) if c.review.closed_at else "" for c in newest],
        "Note": [c.review.note or "" for c in newest],
    }


def _closed_words(case: ReviewCase, classes: ClassList) -> str:
    if case.review.state is ReviewState.RESOLVED:
        answer = next((x for x in case.history if x.id == case.review.label_id), None)
        if answer is not None and answer.kind is AnswerKind.CLASS:
            return f"decided: {_class_name(answer.class_id, classes)}"
        return "decided: nobody can tell"
    return _outcome(case.review, classes)


def _outcome(review: Review, classes: ClassList) -> str:
    if review.state is ReviewState.RESOLVED:
        return "decided"
    if review.state is ReviewState.DISMISSED:
        return "kept the answers"
    seen = "could not tell"
    if review.opinion_class_id is not None:
        seen = f"saw {_class_name(review.opinion_class_id, classes)}"
    return f"{seen}, and asked a second person"


def _class_name(class_id: int | None, classes: ClassList) -> str:
    return classes.given_names.get(class_id, GONE) if class_id is not None else GONE


def _share(probability: float) -> str:
    if 0 < probability < 0.001:
        return "less than 0.1 %"
    return f"{100 * probability:.1f} %"


def _when(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
