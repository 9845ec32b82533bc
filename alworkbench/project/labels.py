"""Answers of annotators: items leased, answers stored, the newest taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from alworkbench.core.domain import Answer, Item, Label
from alworkbench.core.errors import LeaseLost, LoopError, NoOpenRound, NothingToUndo, UnknownItem
from alworkbench.core.ports import Reader
from alworkbench.project.session import OpenProject

LEASE = timedelta(minutes=10)


class Answering(OpenProject):
    """Nothing here waits for a computation."""

    def claim(self, annotator: str, limit: int) -> list[Item]:
        """Lease up to `limit` unanswered items of the open round to an annotator."""
        now = self._clock()
        with self.store.write() as writer:
            current = writer.rounds.current()
            if current is None:
                raise NoOpenRound
            return writer.rounds.claim(current.id, annotator, limit, now, now + LEASE)

    def record(self, answer: Answer) -> Label:
        """Store an answer; durable when this returns. The same event id is stored once.

        An answer to a round that was closed meanwhile is kept: the next learner learns from it.
        Raises UnknownItem, or LeaseLost when someone else holds the item.
        """
        return self.record_many([answer])[0]

    def record_many(self, answers: Sequence[Answer]) -> list[Label]:
        """Store answers in one transaction, all or none; as `record` does for each."""
        now = self._clock()
        with self.store.write() as writer:
            items: dict[int, Item] = {}
            for answer in answers:
                if answer.item_id is not None and answer.item_id not in items:
                    items |= _items_beside(writer, answer.item_id, len(answers) > 1)
                refusal = _refusal(answer, items, now)
                if refusal and writer.labels.by_event(answer.event_id) is None:
                    raise refusal
            return writer.labels.add_many(answers, now)

    def undo(self, annotator: str, event_id: str) -> Label:
        """Take back the annotator's newest answer in the open round; the same event id acts once."""
        with self.store.write() as writer:
            done = writer.labels.retracted_by(event_id)
            if done is not None:
                return done
            current = writer.rounds.current()
            newest = writer.labels.newest_of(annotator, current.id) if current else None
            if newest is None:
                raise NothingToUndo(annotator)
            writer.labels.retract(newest.id, event_id, annotator, self._clock())
            return newest


def _items_beside(reader: Reader, item_id: int, others: bool) -> dict[int, Item]:
    """An item, and with `others` all of its round: answers to a whole round take two look-ups."""
    item = reader.rounds.item(item_id)
    if item is None:
        return {}
    return {each.id: each for each in (reader.rounds.items(item.round_id) if others else [item])}


def _refusal(answer: Answer, items: Mapping[int, Item], now: datetime) -> LoopError | None:
    """What is wrong with an answer to what was never asked, or to what someone else holds."""
    if answer.item_id is None:
        return None
    item = items.get(answer.item_id)
    if item is None or item.image_id != answer.image_id:
        return UnknownItem(
            f"Item {answer.item_id} with image {answer.image_id} was never asked in this "
            f"project. Reload the labelling page; nothing was recorded."
        )
    lease = item.lease
    if lease and lease.token != answer.lease_token and lease.until > now:
        return LeaseLost(
            f"Item {item.id} is being answered by {lease.annotator!r} until "
            f"{lease.until:%H:%M:%S} UTC. Go on with the next image; nothing was recorded."
        )
    return None
