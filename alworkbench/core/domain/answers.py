"""Rounds, their items, and the labels that answer them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from alworkbench.core.domain.calibration import Calibration
from alworkbench.core.domain.class_sets import ClassSets
from alworkbench.core.domain.opinions import REVIEW_SOURCE, Late


class AnswerKind(StrEnum):
    """What an answer says: a class, no class (skipped), or that nobody can tell."""

    CLASS = "class"
    SKIP = "skip"
    CANNOT_TELL = "cannot_tell"


AUDIT_STRATEGY = "audit"
"""The strategy name of a round that draws the audit set at random."""
OPENED_BY = "opened_by"
"""Where the settings of a round say who opened it."""
CLOSED_BY = "closed_by"
"""Where the settings of a round say who closed it."""


class RoundState(StrEnum):
    """Whether a round still takes answers."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the model would answer, and how sure it is (a probability)."""

    class_id: int
    probability: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one annotator to answer an item until a time."""

    annotator: str
    token: str
    until: datetime
    since: datetime | None = None
    """When it was given or last renewed; None where nobody knows."""

    def runs(self, now: datetime) -> bool:
        """Whether it has not ended. One with more than twice its length left ended: a clock was set back."""
        if self.since is not None and self.until - now > 2 * (self.until - self.since):
            return False
        return now < self.until


@dataclass(frozen=True, slots=True)
class Item:
    """An image asked in a round."""

    id: int
    round_id: int
    image_id: int
    position: int
    score: float | None
    suggestion: Suggestion | None
    """What the model would answer. Of a blind item it is recorded and not shown."""
    lease: Lease | None = None
    """The lease of the person who claimed it; None where an item is only read."""
    label: Label | None = None
    """The answer that counts now (`deciding_label`), or None without an answer."""
    probability: float | None = None
    """Probability of this draw among the images left at that time. None: chosen, not drawn at random."""
    wanted: int = 1
    """From how many people an answer is wanted."""
    blind: bool = False
    """Whether it is shown without its suggestion."""
    answered_by: tuple[str, ...] = ()
    """Who gave the answers that were asked for, in the order of the answers. Not for other annotators."""
    leases: tuple[Lease, ...] = ()
    """Every lease on it, ended or not."""
    late_by: tuple[str, ...] = ()
    """Who gave late answers to it and no other."""

    def held(self, now: datetime) -> tuple[Lease, ...]:
        """The leases that run, of people who have not answered it."""
        done = {*self.answered_by, *self.late_by}
        return tuple(e for e in self.leases if e.runs(now) and e.annotator not in done)

    @property
    def complete(self) -> bool:
        """Whether all answers that are wanted were given."""
        return len(self.answered_by) >= self.wanted

    @property
    def shown_suggestion(self) -> Suggestion | None:
        """The suggestion that an annotator may see."""
        return None if self.blind else self.suggestion


@dataclass(frozen=True, slots=True)
class RoundCount:
    """How far a round is. An item that wants answers of two people counts twice in `wanted`."""

    answers: int
    """Answers given, of those that are wanted."""
    wanted: int
    items_complete: int
    items: int

    @property
    def items_left(self) -> int:
        """Items that still want an answer."""
        return self.items - self.items_complete


@dataclass(frozen=True, slots=True)
class Round:
    """One batch: asked, answered and learned from. Its record can be replayed."""

    id: int
    number: int
    """1, 2, 3, ... within the project."""
    strategy: str
    seed: int
    batch_size: int
    class_list_id: int
    posterior_id: int | None
    learner_id: int | None
    """The learner that ranked; None means the zero-shot model."""
    state: RoundState
    opened_at: datetime
    closed_at: datetime | None
    seconds: float
    """How long the ranking took."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def calibration(self) -> Calibration:
        """That of the probabilities of its suggestions."""
        return Calibration.from_record(self.settings.get("calibration"))

    @property
    def class_sets(self) -> ClassSets | None:
        """The likely classes of its images; None if it has none. A round of the audit set never has any."""
        return ClassSets.from_record(self.settings.get("class_sets"))

    @property
    def opened_by(self) -> str:
        """Who opened it; empty where the record does not say it."""
        return str(self.settings.get(OPENED_BY, ""))

    @property
    def closed_by(self) -> str:
        """Who closed it; empty while it is open, and where the record does not say it."""
        return str(self.settings.get(CLOSED_BY, ""))

    def likeliest(self, position: int) -> tuple[int, ...]:
        """Ids of the classes that are most probable for the image at this position, the best first.

        None in a round that keeps none: of a project with no more classes than digits, or of the audit set.
        """
        kept = self.settings.get("likeliest", ())
        return tuple(kept[position]) if position < len(kept) else ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What an annotator said about one image, before it is stored.

    The browser or script makes `event_id`: an answer that is sent twice is recorded once.
    """

    event_id: str
    image_id: int
    kind: AnswerKind
    annotator: str
    class_id: int | None = None
    """Given exactly when `kind` is CLASS."""
    item_id: int | None = None
    """The item it answers. None: that of the open round, if it asks about this image."""
    lease_token: str | None = None
    duration_ms: int | None = None
    """Milliseconds from the picture on the screen to the answer."""
    suggested_class_id: int | None = None
    source: str = "browser"
    """browser, gallery, csv, manifest, oracle or review."""
    late: Late | None = None
    """Why it came too late to be one of the answers that were asked for. See `counting_opinions`."""

    def __post_init__(self) -> None:
        if (self.kind is AnswerKind.CLASS) != (self.class_id is not None):
            raise ValueError(
                "only an answer of the kind CLASS has a class_id, and it must have one"
            )


@dataclass(frozen=True, slots=True)
class Label:
    """A stored answer. Labels are added, never overwritten: a correction is a newer label."""

    id: int
    event_id: str
    image_id: int
    kind: AnswerKind
    class_id: int | None
    annotator: str
    item_id: int | None
    recorded_at: datetime
    duration_ms: int | None
    suggested_class_id: int | None
    source: str
    late: Late | None = None


def act_events(act_id: str) -> str:
    """With what the event ids of one act begin: its answers are recorded and taken back together."""
    return f"act:{act_id}:"


def counting_opinions(opinions: Sequence[Label]) -> list[Label]:
    """The opinions that count, in their order.

    `opinions` are the newest answers of different people to one image. The newest answer of a reviewer
    counts alone. Without one, a late answer never counts beside answers that were asked for; where all
    opinions are late, they count, since nobody else has answered the image.
    """
    reviewed = [each for each in opinions if each.source == REVIEW_SOURCE]
    if reviewed:
        return [max(reviewed, key=lambda each: each.id)]
    return [each for each in opinions if each.late is None] or list(opinions)


def deciding_label(answers: Sequence[Label], counted: Mapping[int, int] | None = None) -> Label:
    """The label of an image where only one can be used: the most common class of its answers.

    `answers` are the answers that count, one of each annotator and at least one. `counted` says for which
    class each answer counts (`ClassList.counted`); None: each for its own. Of two classes that are equally
    common, the one with the newest answer decides. Its newest answer is returned. Where no answer names a
    class in use, the newest one that names a class is returned, and without one the newest answer.
    """
    named = [each for each in answers if each.class_id is not None]
    class_of: dict[int, int | None] = {
        each.id: c if counted is None else counted.get(c)
        for each in named
        if (c := each.class_id) is not None
    }
    named = [each for each in named if class_of[each.id] is not None] or named
    votes = Counter(class_of.values())
    return max(named or answers, key=lambda each: (votes[class_of.get(each.id)], each.id))


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The record that a label no longer counts."""

    id: int
    """In the order in which labels were taken back."""
    label_id: int
    event_id: str
    annotator: str
    recorded_at: datetime
