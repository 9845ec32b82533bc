"""One act labels a selection of images: each image gets an answer of its own, all in one transaction.

Rules, in this order:

    audit set     where suggestions were shown, images of the audit set are left out: they measure the model,
                  so nobody may be led by it
    blind         so are images that the open round asks about without their suggestion
    held          images that another person holds in the open round are left out
    late          an image that other people answered gets a second opinion, or nothing where the project
                  refuses late answers: the rules of `late_answers`, inside and outside of a round

An answer outside of a round has no item: a person chose the image, not a strategy. It teaches the next
learner like a label from a file. The take-back of an act takes back all of its answers that still stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from alworkbench.core.domain import (
    REVIEW_SOURCE,
    Answer,
    AnswerKind,
    Image,
    Item,
    Label,
    Late,
    LateAnswers,
    Role,
    act_events,
    counting_opinions,
)
from alworkbench.core.errors import AnswerTooLate, LeaseLost, NothingToUndo, SelectionTooLarge
from alworkbench.core.ports import Reader
from alworkbench.project.late_answers import Arrivals
from alworkbench.project.session import Session

MOST_IN_ACT = 5000
"""Images of one act, so that the write lock is held for a few seconds at most."""
SOURCE = "gallery"
"""The source of an answer that was given to a selection."""


class LeftOut(StrEnum):
    """Why an image of a selection got no answer."""

    AUDIT = "audit"
    BLIND = "blind"
    HELD = "held"
    LATE = "late"


LEFT_OUT_WORDS = {
    LeftOut.AUDIT: "belong to the audit set, which is answered one image at a time and without suggestions",
    LeftOut.BLIND: "are asked in the open round without their suggestion",
    LeftOut.HELD: "are being answered by another person at this moment",
    LeftOut.LATE: "have answers of other people, and this project refuses late answers",
}
"""After a number of images."""


@dataclass(frozen=True, slots=True)
class SelectionAnswer:
    """The same answer for each image of a selection."""

    act_id: str
    """Made by the browser or script: an act that is sent twice is recorded once."""
    annotator: str
    images: Sequence[int]
    kind: AnswerKind
    class_id: int | None = None
    suggested: Mapping[int, int] = field(default_factory=dict)
    """Image -> the class that was shown as its prediction."""
    suggestions_shown: bool = True
    """Whether predictions, a search or a cluster brought the images together."""
    settles: bool = False
    """Whether a reviewer decides: the answer counts alone, whatever others answered."""


@dataclass(frozen=True, slots=True)
class ActOutcome:
    """What became of an act."""

    act_id: str
    labels: tuple[Label, ...]
    """One for each image that got an answer; `late` says which are second opinions."""
    left_out: Mapping[int, LeftOut]
    """Image -> why it got no answer."""

    @property
    def second_opinions(self) -> int:
        """How many answers do not count, because other people had answered before."""
        return sum(label.late is not None for label in self.labels)

    @property
    def words(self) -> str:
        """The outcome in sentences."""
        counting = len(self.labels) - self.second_opinions
        said = [f"{counting:,} {'image is' if counting == 1 else 'images are'} labelled."]
        if self.second_opinions:
            said.append(
                f"{self.second_opinions:,} had answers of other people: yours are kept as second opinions."
            )
        for why in LeftOut:
            number = sum(each is why for each in self.left_out.values())
            if number:
                said.append(f"{number:,} {LEFT_OUT_WORDS[why]}: left out.")
        return " ".join(said)


def record_selection(session: Session, given: SelectionAnswer) -> ActOutcome:
    """Record the answers of one act: durable when this returns.

    Raises SelectionTooLarge, NotInProject for an unknown image, and ClassNotInUse.
    """
    images = list(dict.fromkeys(given.images))
    if len(images) > MOST_IN_ACT:
        raise SelectionTooLarge(len(images), MOST_IN_ACT)
    now = session.now()
    with session.store.write() as writer:
        found = writer.images.some(images)
        current = writer.rounds.current()
        items = writer.rounds.items(current.id) if current else []
        asked = {item.image_id: item for item in items}
        known = {label.image_id: label for label in writer.labels.of_act(given.act_id)}
        answers: list[Answer] = []
        left_out: dict[int, LeftOut] = {}
        arrivals = Arrivals(
            writer,
            now,
            writer.settings().late_answers,
            known={label.event_id for label in known.values()},
            many=True,
        )
        judge = _Judge(writer, given, arrivals)
        for image in found:
            if image.id in known:
                continue
            judged = judge.judged(image, asked.get(image.id))
            if isinstance(judged, LeftOut):
                left_out[image.id] = judged
            else:
                answers.append(judged)
        fresh = {label.image_id: label for label in writer.labels.add_many(answers, now)}
    both = known | fresh
    return ActOutcome(
        given.act_id, tuple(both[image] for image in images if image in both), left_out
    )


class _Judge:
    """Says which answer an image of a selection gets, or why none."""

    def __init__(self, reader: Reader, given: SelectionAnswer, arrivals: Arrivals) -> None:
        self._given = given
        self._arrivals = arrivals
        self._opinions = reader.labels.opinions_of(given.images)

    def judged(self, image: Image, item: Item | None) -> Answer | LeftOut:
        """`item` is that of the open round which asks about the image. Raises ClassNotInUse."""
        given = self._given
        if given.suggestions_shown and image.role is Role.AUDIT:
            return LeftOut.AUDIT
        if given.suggestions_shown and item is not None and item.blind:
            return LeftOut.BLIND
        answer = Answer(
            event_id=f"{act_events(given.act_id)}{image.id}",
            image_id=image.id,
            kind=given.kind,
            annotator=given.annotator,
            class_id=given.class_id,
            item_id=item.id if item and not given.settles else None,
            suggested_class_id=given.suggested.get(image.id),
            source=REVIEW_SOURCE if given.settles else SOURCE,
        )
        try:
            judged = self._arrivals.judged(answer)
        except LeaseLost:
            return LeftOut.HELD
        except AnswerTooLate:
            return LeftOut.LATE
        if item is None and not given.settles and self._others_answered(image.id):
            judged = replace(judged, late=Late.ANSWERED)
            if self._arrivals.rule is LateAnswers.REFUSE:
                return LeftOut.LATE
        return judged

    def _others_answered(self, image: int) -> bool:
        """Whether answers of other people count for the image, and none of this person."""
        counting = counting_opinions(self._opinions.get(image, []))
        people = {each.annotator for each in counting if each.late is None}
        return bool(people) and self._given.annotator not in people


def undo_selection(session: Session, annotator: str, act_id: str, event_id: str) -> list[Label]:
    """Take back the answers of an act that still stand; returns them. The same event id acts once.

    Raises NothingToUndo where the person has no such answer.
    """
    with session.store.write() as writer:
        own = [each for each in writer.labels.of_act(act_id) if each.annotator == annotator]
        if not own:
            raise NothingToUndo(annotator, "of this act")
        events = {each.id: f"{act_events(event_id)}{each.image_id}" for each in own}
        writer.labels.retract_many(events, annotator, session.now())
        return own
