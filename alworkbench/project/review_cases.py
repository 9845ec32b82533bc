"""What a reviewer sees of a case, and in which order cases wait.

The version of a case names everything that its reviewer sees. A decision names the version that was on the
screen, and is refused where the case has another one by now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alworkbench.core.domain import (
    REVIEW_SOURCE,
    Label,
    NewReview,
    Review,
    ReviewReason,
    ReviewState,
    Role,
)
from alworkbench.core.errors import ReviewClosed
from alworkbench.core.ports import Reader

LOOK = "look for likely errors"
"""The title of the job that opens cases of likely errors."""
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
    version: str = ""
    """16 hexadecimal digits; they change with every answer to the image, take-back and case of it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cases that a reviewer is shown next."""

    cases: list[ReviewCase]
    """The first ones, in the order in which they are shown."""
    total: int
    """How many open cases of the wanted kind there are."""
    counts: dict[ReviewReason, int]
    """How many open cases of each kind there are."""


def open_in_order(every: Iterable[Review]) -> list[Review]:
    """The open cases: second opinions, disagreements, errors by their odds."""
    found = [each for each in every if each.state is ReviewState.OPEN]
    return sorted(found, key=lambda each: (_ORDER[each.reason], -(each.odds or 0.0), each.id))


def with_evidence(
    reader: Reader, found: Sequence[Review], every: Sequence[Review]
) -> list[ReviewCase]:
    """The found cases with their images, answers and earlier cases; `every` has all cases of the project."""
    wanted = {each.image_id for each in found}
    of_image: dict[int, list[Review]] = {}
    for each in every:
        if each.image_id in wanted:
            of_image.setdefault(each.image_id, []).append(each)
    images = {image_id: reader.images.get(image_id) for image_id in wanted}
    standing = reader.labels.opinions_of(wanted)
    cases = []
    for each in found:
        cases_of, image = of_image[each.image_id], images[each.image_id]
        history = tuple(reader.labels.history(each.image_id))
        cases.append(
            ReviewCase(
                review=each,
                hash=image.hash,
                path=image.paths[0] if image.paths else "",
                history=history,
                earlier=tuple(
                    e for e in cases_of if e.state is not ReviewState.OPEN and e.id < each.id
                ),
                version=_version(each, cases_of, history, standing.get(each.image_id, [])),
            )
        )
    return cases


def open_case(reader: Reader, review_id: int) -> ReviewCase:
    """The open case with this id, as it is now. Raises NotInProject, and ReviewClosed."""
    review = reader.reviews.get(review_id)
    if review.state is not ReviewState.OPEN:
        raise ReviewClosed(review_id, review.state.value, review.closed_by)
    (case,) = with_evidence(reader, [review], reader.reviews.all())
    return case


def newest_closed(reader: Reader, most: int, before: datetime | None) -> list[ReviewCase]:
    """At most that many closed cases, the newest first; with `before`, of those closed earlier."""
    every = reader.reviews.all()
    found = [
        (each.closed_at, each.id, each)
        for each in every
        if each.closed_at is not None and (before is None or each.closed_at < before)
    ]
    newest = [each for _, _, each in sorted(found, key=lambda e: e[:2], reverse=True)]
    return with_evidence(reader, newest[:most], every)


def different_answers(reader: Reader) -> list[NewReview]:
    """A case for each image with different answers that no reviewer has settled."""
    counted, cases = reader.classes.current().counted, []
    for role in Role:
        for image, opinions in reader.labels.opinions(role).items():
            if any(each.source == REVIEW_SOURCE for each in opinions):
                continue
            named = {counted.get(each.class_id) for each in opinions if each.class_id}
            if len(named - {None}) > 1:
                newest = max(each.id for each in opinions)
                cases.append(NewReview(image, ReviewReason.DISAGREEMENT, newest))
    return cases


def errors_since(reader: Reader, begun: datetime) -> int:
    """Cases of likely errors that were opened since a search began, closed ones too."""
    errors = [each for each in reader.reviews.all() if each.reason is ReviewReason.LABEL_ERROR]
    return sum(each.opened_at >= begun for each in errors)


def first_waiting(
    reader: Reader,
    by: str,
    reason: ReviewReason | None,
    later: Sequence[int],
    most: int | None,
) -> Waiting:
    """See `Reviews.waiting`."""
    place = {review_id: at for at, review_id in enumerate(later, start=1)}
    every = reader.reviews.all()
    ordered = open_in_order(every)
    found = [each for each in ordered if reason in (None, each.reason)]
    found.sort(key=lambda each: (each.asked_by == by, place.get(each.id, 0)))
    counts = {kind: sum(each.reason is kind for each in ordered) for kind in ReviewReason}
    return Waiting(with_evidence(reader, found[:most], every), len(found), counts)


def _version(
    case: Review, cases: Iterable[Review], history: Iterable[Label], standing: Iterable[Label]
) -> str:
    """Holds numbers of records only, so it tells nobody what others answered."""
    seen = (
        case.id,
        [(each.id, each.state.value) for each in cases],
        [label.id for label in history],
        [label.id for label in standing],
    )
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
