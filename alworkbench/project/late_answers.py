"""Answers that come too late: other people answered the item in the meantime, or its round was closed.

They are kept as second opinions or refused, as the project decided, and whoever gave one is told. A second
opinion is never one of the answers that a round waits for (see `core.domain.opinions`).

An answer whose lease ran out is not late as long as its item wants an answer: who is first counts. Who then
holds the item is told when the own answer comes second.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from alworkbench.core.domain import Answer, ClassList, Item, Late, LateAnswers, Round
from alworkbench.core.errors import AnswerTooLate, ClassNotInUse, LeaseLost, UnknownItem
from alworkbench.core.ports import Reader

WHY_LATE = {
    Late.ANSWERED: "Other people answered this image before your answer came.",
    Late.CLOSED: "The round of this image was closed before your answer came.",
}
"""What a late answer means, in a sentence for its person."""
KEPT = "Your answer is kept as a second opinion."


@dataclass(slots=True)
class Arrivals:
    """Judges answers in the order in which they arrive, inside one write block."""

    reader: Reader
    now: datetime
    rule: LateAnswers
    known: set[str]
    """Event ids that are recorded already, of the answers that arrive."""
    many: bool = False
    """Whether all items of a round are read at once, for many answers."""
    _current: Round | None = field(init=False)
    _classes: ClassList = field(init=False)
    _items: dict[int, Item | None] = field(default_factory=dict)
    _asked: dict[int, Item] | None = None
    _answered_by: dict[int, set[str]] = field(default_factory=dict)
    _late_by: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._current = self.reader.rounds.current()
        self._classes = self.reader.classes.current()

    def judged(self, answer: Answer) -> Answer:
        """The answer with what makes it late, if anything.

        An answer without an item was not asked for on a page, and is never late; one that was recorded
        before stays as it is. Raises UnknownItem, ClassNotInUse for a class that was retired or merged,
        LeaseLost where another person holds the item and this one never did, and AnswerTooLate where the
        project refuses late answers.
        """
        if answer.event_id in self.known:
            return answer
        self._check_class(answer)
        late = self._late(answer)
        if late is not None and self.rule is LateAnswers.REFUSE:
            raise AnswerTooLate(WHY_LATE[late])
        self.known.add(answer.event_id)
        return answer if late is None else replace(answer, late=late)

    def _late(self, answer: Answer) -> Late | None:
        if answer.item_id is None:
            asking = self._asking(answer.image_id) if self.many else None
            if asking is not None:  # those that arrive with it are judged by it
                self._people(asking).add(answer.annotator)
            return None
        item = self._item(answer.item_id)
        if item is None or item.image_id != answer.image_id:
            raise UnknownItem(
                f"Item {answer.item_id} with image {answer.image_id} was never asked in this "
                f"project. Reload the labelling page; nothing was recorded."
            )
        if self._current is None or item.round_id != self._current.id:
            asking = self._asking(item.image_id)
            if asking is None:
                return Late.CLOSED
            item = asking
        else:
            self._check_lease(answer, item)
        people = self._people(item)
        if answer.annotator not in people and len(people) >= item.wanted:
            self._late_by.setdefault(item.id, set()).add(answer.annotator)
            return Late.ANSWERED
        people.add(answer.annotator)
        return None

    def _people(self, item: Item) -> set[str]:
        """Who gave the answers that the item asked for, those that arrived here included."""
        return self._answered_by.setdefault(item.id, set(item.answered_by))

    def _asking(self, image_id: int) -> Item | None:
        if not self.many:
            return self.reader.rounds.asking(image_id)
        if self._asked is None:
            asked = self.reader.rounds.items(self._current.id) if self._current else []
            self._asked = {each.image_id: each for each in asked}
        return self._asked.get(image_id)

    def _item(self, item_id: int) -> Item | None:
        if item_id not in self._items:
            found = self.reader.rounds.item(item_id)
            self._items[item_id] = found
            if found is not None and self.many:
                self._items |= {each.id: each for each in self.reader.rounds.items(found.round_id)}
        return self._items[item_id]

    def _check_class(self, answer: Answer) -> None:
        former = next((c for c in self._classes.former if c.id == answer.class_id), None)
        if former is not None:
            into = self._classes.given_names.get(former.into) if former.into else None
            raise ClassNotInUse(former.name, into, "The answer")

    def _check_lease(self, answer: Answer, item: Item) -> None:
        """Raises LeaseLost where others hold the item now, and this person never held it.

        Whoever gave one of the answers that it asked for corrects it, and takes nobody's place. A project
        that refuses late answers also refuses those whose lease ran out, once others hold the item.
        """
        own = [each for each in item.leases if each.annotator == answer.annotator]
        known = any(each.token == answer.lease_token for each in own)
        people = self._people(item)
        if known and (self.rule is LateAnswers.KEEP or any(e.runs(self.now) for e in own)):
            return
        done = {answer.annotator, *people, *self._late_by.get(item.id, ())}
        others = [each for each in item.held(self.now) if each.annotator not in done]
        if answer.annotator in people or not others:
            return
        if len(others) + len(people) >= item.wanted:
            raise LeaseLost(
                f"Item {item.id} is being answered by another person until "
                f"{others[0].until:%H:%M:%S} UTC. Go on with the next image; nothing was recorded."
            )
