"""Answers of annotators: items leased, answers stored, taken back, read from a file and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from alworkbench.core.domain import Answer, AnswerKind, Image, Item, Label
from alworkbench.core.errors import (
    InvalidLabelFile,
    LeaseLost,
    LoopError,
    NoOpenRound,
    NothingToImport,
    NothingToUndo,
    UnknownClass,
    UnknownItem,
)
from alworkbench.core.ports import Reader
from alworkbench.inputs.label_files import exported, read_labels, write_labels
from alworkbench.project.imports import class_id
from alworkbench.project.session import Session

LEASE = timedelta(minutes=10)
"""How long a claimed item belongs to its annotator."""


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """What happened when labels were read from a file."""

    recorded: int
    known: int
    """Rows that were recorded before, from the same answer of the same annotator."""


class Labels:
    """Every answer is kept. Nothing here waits for a computation."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, annotator: str, limit: int) -> list[Item]:
        """Lease up to `limit` unanswered items of the open round to an annotator. Raises NoOpenRound."""
        now = self._session.now()
        with self._session.store.write() as writer:
            current = writer.rounds.current()
            if current is None:
                raise NoOpenRound
            return writer.rounds.claim(current.id, annotator, limit, now, now + LEASE)

    def record(self, answer: Answer) -> Label:
        """Store an answer; it is on the disk when this returns. The same event id is stored once.

        An answer to a round that was closed in the meantime is kept, and the next learner learns from it.
        Raises UnknownItem, or LeaseLost where another annotator holds the item.
        """
        return self.record_many([answer])[0]

    def record_many(self, answers: Sequence[Answer]) -> list[Label]:
        """Store answers in one transaction, all or none; as `record` does for each."""
        now = self._session.now()
        with self._session.store.write() as writer:
            items: dict[int, Item] = {}
            for answer in answers:
                if answer.item_id is not None and answer.item_id not in items:
                    items |= _items_beside(writer, answer.item_id, len(answers) > 1)
                refusal = _refusal(answer, items, now)
                if refusal and writer.labels.by_event(answer.event_id) is None:
                    raise refusal
            return writer.labels.add_many(answers, now)

    def undo(self, annotator: str, event_id: str) -> Label:
        """Take back the newest answer of an annotator in the open round; returns the answer.

        The same event id acts once. Raises NothingToUndo.
        """
        with self._session.store.write() as writer:
            done = writer.labels.retracted_by(event_id)
            if done is not None:
                return done
            current = writer.rounds.current()
            newest = writer.labels.newest_of(annotator, current.id) if current else None
            if newest is None:
                raise NothingToUndo(annotator)
            writer.labels.retract(newest.id, event_id, annotator, self._session.now())
            return newest

    def import_file(self, path: Path, annotator: str) -> LabelSummary:
        """Record the labels of a CSV (columns image and label): all rows, or none.

        The same row of the same annotator is recorded once, however often the file is read. A row
        replaces an older answer of this annotator only; to correct the answers of a person, name that
        person. Raises InvalidLabelFile, also for an image that the project does not have, UnknownClass,
        NothingToImport.
        """
        with self._session.store.write() as writer:
            classes = writer.classes.current()
            before = writer.labels.count()
            answers = []
            for row in read_labels(path):
                if not row.label:
                    continue
                image = _image_named(writer, row.image)
                if image is None:
                    raise InvalidLabelFile(
                        f"Line {row.line} of {path} names the image {row.image!r}, which is not in this "
                        f"project. Import it first (`alworkbench import`), or name it by its path or "
                        f"content hash. Nothing was recorded."
                    )
                if classes.with_name(row.label) is None:
                    raise UnknownClass(row.label, classes.names, f"Line {row.line} of {path}")
                answers.append(
                    Answer(
                        event_id=f"csv:{annotator}:{image.hash}:{row.label}",
                        image_id=image.id,
                        kind=AnswerKind.CLASS,
                        annotator=annotator,
                        class_id=class_id(classes, row.label),
                        source="csv",
                    )
                )
            if not answers:
                raise NothingToImport(
                    f"{path} holds no labels: every row is empty. Fill the column label."
                )
            writer.labels.add_many(answers, self._session.now())
            recorded = writer.labels.count() - before
        return LabelSummary(recorded, len(answers) - recorded)

    def export(self, target: Path, *, history: bool = False) -> int:
        """Write the labels that count, or with `history` all of them, as .csv or .jsonl.

        Returns how many rows were written. Raises InvalidLabelFile for another kind of file.
        """
        with self._session.store.read() as reader:
            return write_labels(target, exported(reader, history=history))


def _image_named(reader: Reader, name: str) -> Image | None:
    if len(name) == 64 and (found := reader.images.by_hash(name)):
        return found
    return reader.images.by_path(name)


def _items_beside(reader: Reader, item_id: int, others: bool) -> dict[int, Item]:
    """The item by its id; with `others` all items of its round, so that many answers need two queries."""
    item = reader.rounds.item(item_id)
    if item is None:
        return {}
    return {each.id: each for each in (reader.rounds.items(item.round_id) if others else [item])}


def _refusal(answer: Answer, items: Mapping[int, Item], now: datetime) -> LoopError | None:
    """The error of an answer to an image that was never asked, or that another annotator holds."""
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
