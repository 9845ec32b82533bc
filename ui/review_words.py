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
from ui.review_messages import Act
from ui.unbroken import percent

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


def why_words(review: Review) -> str:
    """Why it is a case."""
    return {
        ReviewReason.DISAGREEMENT: "people gave different classes",
        ReviewReason.LABEL_ERROR: "the label is probably wrong",
        ReviewReason.SECOND_OPINION: f"{review.asked_by} asks for a second opinion",
    }[review.reason]


def since_words(review: Review) -> str:
    """When it was opened."""
    return _when(review.opened_at)


def done_words(act: Act, case_id: int, class_name: str | None) -> str:
    """What an act has done."""
    return {
        Act.DECIDE: f"Case {case_id} is resolved: {class_name or CANNOT_TELL}.",
        Act.KEEP: f"Case {case_id} is dismissed; the answers stay.",
        Act.WITHDRAW: f"Case {case_id} is dismissed; the answers stay.",
        Act.PASS_ON: f"Case {case_id} waits for another reviewer.",
    }[act]


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


def closed_rows(cases: Sequence[ReviewCase], classes: ClassList) -> list[dict[str, str]]:
    """What became of closed cases: a row for each, by the names of the columns."""
    return [
        {
            "Case": str(case.review.id),
            "Image": case.path,
            "Why": REASONS[case.review.reason],
            "Outcome": _closed_words(case, classes),
            "By": case.review.closed_by or "",
            "When": _when(case.review.closed_at) if case.review.closed_at else "",
            "Note": case.review.note or "",
        }
        for case in cases
    ]


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
        return f"less than {percent(0.001)}"
    return percent(probability)


def _when(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
