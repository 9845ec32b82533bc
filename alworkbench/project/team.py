"""What the answers of several people say of each other: agreement, pace, and the pull of suggestions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from alworkbench.core.domain import REVIEW_SOURCE, ClassList, Item, Label, Role
from alworkbench.core.ports import Reader
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.relabel_advice import RelabelAdvice, relabel_advice
from alworkbench.project.reviews import Reviews
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.evaluation.agreement import Agreement
    from alworkbench.project.learners import Learners


@dataclass(frozen=True, slots=True)
class PersonPace:
    """How fast and how well one person answers."""

    person: str
    answers: int
    """That were not taken back."""
    median_seconds: float | None
    """From the picture on the screen to the answer; None without such times."""
    no_class: float
    """Share of skips and of `cannot tell`."""
    late: int
    """Answers that came too late and are second opinions."""
    compared: int
    """Images with a class of this person, and one most common class of the others."""
    agreement: float | None
    """Share of these images to which the person gave the same class. None without such images."""
    low: float | None
    """Lower end of the 95 % Wilson interval of the agreement."""
    high: float | None


@dataclass(frozen=True, slots=True)
class SuggestionBias:
    """How often people answer what the model suggests, when they see it and when they do not."""

    shown: int
    """Images with a class as first answer, whose suggestion was shown."""
    shown_agree: int
    blind: int
    blind_agree: int
    difference: float | None
    """Share that agrees with the suggestion shown, minus the share without. None without one of them."""
    low: float | None
    """Lower end of the 95 % interval of the difference (Newcombe 1998, method 10)."""
    high: float | None

    @property
    def words(self) -> str:
        """What was measured, in a sentence or two."""
        if self.difference is None or self.low is None or self.high is None:
            return (
                "Not measured: no round has answers both with and without suggestions. Show a share of the "
                "images without one: alworkbench set --blind-share 0.1."
            )
        measured = (
            f"People gave the suggested class to {self.shown_agree} of {self.shown} images that showed it, "
            f"and to {self.blind_agree} of {self.blind} that did not: a difference of "
            f"{100 * self.difference:.1f} points [{100 * self.low:.1f}, {100 * self.high:.1f}]."
        )
        if self.low > 0:
            return measured + " Suggestions pull answers toward the model."
        return measured + " This does not show that suggestions change answers."


class Team:
    """Reads answers only; `reviews` are the cases for a reviewer."""

    def __init__(self, session: Session, learners: Callable[[], Learners]) -> None:
        """`learners` are asked for when a review needs the newest learner."""
        self._session = session
        self._learners = learners
        self.reviews = Reviews(session, learners)

    def agreement(self) -> Agreement:
        """How far people agree, over pool and audit set. Answers without a class do not count."""
        from alworkbench.evaluation.agreement import agreement

        with self._session.store.read() as reader:
            classes = reader.classes.current()
            given = named_opinions(reader, classes)
        return agreement(list(given.values()), len(classes))

    def advice(self) -> RelabelAdvice | None:
        """Whether to review the most doubtful label or to label a new image (see `relabel_advice`).

        None where the agreement or the time of an answer is not known. Raises as `Reviews.open_label_errors`.
        """
        from alworkbench.project.left_out_labels import left_out_labels

        pairs = self.agreement().pairs
        compared = sum(each.images for each in pairs)
        with self._session.store.read() as reader:
            class_count = len(reader.classes.current())
            labels = reader.labels.all()
        times = [each.duration_ms / 1000 for each in labels if each.duration_ms]
        review = [
            e.duration_ms / 1000 for e in labels if e.duration_ms and e.source == REVIEW_SOURCE
        ]
        left_out = [e.probability for e in left_out_labels(self._session, self._learners())]
        if not compared or not times or not left_out or class_count < 2:
            return None
        agreeing = sum(each.share * each.images for each in pairs) / compared
        return relabel_advice(
            left_out, agreeing, class_count, median(times), median(review or times)
        )

    def pace(self) -> list[PersonPace]:
        """Every person with an answer, by name."""
        with self._session.store.read() as reader:
            gone = {each.label_id for each in reader.labels.take_backs()}
            labels = [each for each in reader.labels.all() if each.id not in gone]
            given = named_opinions(reader, reader.classes.current())
        people = sorted({each.annotator for each in labels})
        return [
            _pace(name, [each for each in labels if each.annotator == name], given)
            for name in people
        ]

    def held(self) -> dict[str, int]:
        """Person -> images of the open round that the person holds and has not answered, by name."""
        with self._session.store.read() as reader:
            current = reader.rounds.current()
            items = [] if current is None else reader.rounds.items(current.id)
        return held_images(items, self._session.now())

    def suggestions(self) -> SuggestionBias:
        """The bias of suggestions, from the first answers of rounds that showed some images without one.

        Which images these are was drawn at random, so that nothing but the suggestion tells them apart.
        """
        with self._session.store.read() as reader:
            counted = reader.classes.current().counted
            gone = {each.label_id for each in reader.labels.take_backs()}
            first: dict[int, Label] = {}
            for label in reader.labels.all():
                if label.item_id is not None and label.late is None and label.id not in gone:
                    first.setdefault(label.item_id, label)
            rounds = [reader.rounds.items(each.id) for each in reader.rounds.all()]
        agree: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}
        for items in rounds:
            if not any(item.blind for item in items):
                continue
            for item in items:
                given = first.get(item.id)
                if item.suggestion is None or given is None or given.class_id is None:
                    continue
                said, meant = counted.get(given.class_id), counted.get(item.suggestion.class_id)
                if said is not None:
                    agree[item.blind][said == meant] += 1
        return suggestion_bias(
            agree[False].total(), agree[False][True], agree[True].total(), agree[True][True]
        )


def held_images(items: Sequence[Item], now: datetime) -> dict[str, int]:
    """Person -> images that this person holds and has not answered, by name."""
    held = Counter(lease.annotator for item in items for lease in item.held(now))
    return dict(sorted(held.items()))


def suggestion_bias(shown: int, shown_agree: int, blind: int, blind_agree: int) -> SuggestionBias:
    """The difference of two shares with Newcombe's interval: square roots of summed squares of Wilson's."""
    if not shown or not blind:
        return SuggestionBias(shown, shown_agree, blind, blind_agree, None, None, None)
    p, q = shown_agree / shown, blind_agree / blind
    (p_low, p_high), (q_low, q_high) = (
        wilson_interval(shown_agree, shown),
        wilson_interval(blind_agree, blind),
    )
    low = p - q - ((p - p_low) ** 2 + (q_high - q) ** 2) ** 0.5
    high = p - q + ((p_high - p) ** 2 + (q - q_low) ** 2) ** 0.5
    return SuggestionBias(shown, shown_agree, blind, blind_agree, p - q, low, high)


def named_opinions(reader: Reader, classes: ClassList) -> dict[int, dict[str, int]]:
    """Image id -> person -> class index, of all opinions that name a class in use, late ones included."""
    counted = classes.counted
    found: dict[int, dict[str, int]] = {}
    for role in Role:
        for image, opinions in reader.labels.opinions(role).items():
            named = {
                each.annotator: counted[each.class_id]
                for each in opinions
                if each.class_id is not None and each.class_id in counted
            }
            if named:
                found[image] = named
    return found


def _pace(name: str, labels: list[Label], given: Mapping[int, Mapping[str, int]]) -> PersonPace:
    times = [each.duration_ms / 1000 for each in labels if each.duration_ms is not None]
    same = []
    for answers in given.values():
        others = Counter(index for person, index in answers.items() if person != name)
        if name not in answers or not others:
            continue
        (top, votes), *rest = others.most_common(2)
        if not rest or rest[0][1] < votes:
            same.append(answers[name] == top)
    low, high = wilson_interval(sum(same), len(same)) if same else (None, None)
    return PersonPace(
        person=name,
        answers=len(labels),
        median_seconds=median(times) if times else None,
        no_class=sum(each.class_id is None for each in labels) / len(labels),
        late=sum(each.late is not None for each in labels),
        compared=len(same),
        agreement=sum(same) / len(same) if same else None,
        low=low,
        high=high,
    )
