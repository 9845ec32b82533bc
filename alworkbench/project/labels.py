"""Answers of annotators: items leased, answers stored, taken back, read from a file and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from alworkbench.core.domain import Answer, ClassList, Item, Label, RoleMismatch
from alworkbench.core.errors import (
    ClassNotInUse,
    LeaseLost,
    LoopError,
    NoOpenRound,
    NothingToImport,
    NothingToUndo,
    UnknownItem,
)
from alworkbench.core.ports import Reader, Writer
from alworkbench.inputs.label_formats.reading import read_labels
from alworkbench.inputs.label_formats.registry import format_to_write
from alworkbench.project.given_labels import record_changes
from alworkbench.project.label_export import export_of
from alworkbench.project.label_import import given_by_rows
from alworkbench.project.learned_images import LearnedImages, write_knowing_learned
from alworkbench.project.roles import change_roles
from alworkbench.project.session import Session

LEASE = timedelta(minutes=10)
"""How long a claimed item belongs to its annotator."""
TAB_LEFT = timedelta(seconds=90)
"""A tab that has not claimed for so long was left: browsers let a hidden tab act once a minute."""


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """What happened when labels were read from a file."""

    recorded: int
    known: int
    """Rows that say what counts already, or what another row of the file says."""
    moved: int = 0
    """Images that took the role of the file."""
    left_out: int = 0
    """Rows that were left out, because they give their image another role than the project."""


class Labels:
    """Every answer is kept. Nothing here waits for a computation."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, annotator: str, limit: int, tab: str | None = None) -> list[Item]:
        """Lease up to `limit` unanswered items of the open round to an annotator. Raises NoOpenRound.

        `tab` is a random text of one browser tab; None outside of a browser. No two tabs get the same item.
        What a tab has not claimed again for `TAB_LEFT` goes to another tab of the same annotator.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            current = writer.rounds.current()
            if current is None:
                raise NoOpenRound
            return writer.rounds.claim(
                current.id,
                annotator,
                limit,
                now,
                now + LEASE,
                tab=tab,
                left_before=now - TAB_LEFT,
            )

    def release(self, annotator: str, tab: str | None, item_ids: Sequence[int]) -> None:
        """Give back items that this tab of the annotator holds, so that anybody gets them at once."""
        with self._session.store.write() as writer:
            writer.rounds.release(annotator, tab, item_ids)

    def record(self, answer: Answer) -> Label:
        """Store an answer; it is on the disk when this returns. The same event id is stored once.

        An answer to a round that was closed in the meantime is kept, and the next learner learns from it.
        Raises UnknownItem, ClassNotInUse for a class that was retired or merged, or LeaseLost where another
        annotator holds the item.
        """
        return self.record_many([answer])[0]

    def record_many(self, answers: Sequence[Answer]) -> list[Label]:
        """Store answers in one transaction, all or none; as `record` does for each."""
        now = self._session.now()
        with self._session.store.write() as writer:
            items: dict[int, Item] = {}
            classes = writer.classes.current()
            for answer in answers:
                if answer.item_id is not None and answer.item_id not in items:
                    items |= _items_beside(writer, answer.item_id, len(answers) > 1)
                refusal = _refusal(answer, items, now) or _not_in_use(answer, classes)
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

    def import_file(
        self, path: Path, annotator: str, roles: RoleMismatch = RoleMismatch.REFUSE
    ) -> LabelSummary:
        """Record the answers in a label file (see `read_labels`): all rows, or none.

        A row is known if it says what the answer of this annotator says that counts now; every other row
        is recorded. A row replaces an older answer of this annotator only; to correct the answers of a
        person, name that person. `roles` says what to do where the file gives an image another role.
        Raises InvalidLabelFile, also for an image that the project does not have, UnknownClass,
        ContradictingLabels, DifferentRoles, NothingToImport, and with `RoleMismatch.CHANGE` what
        `Roles.change` raises without a confirmation.
        """
        rows = list(read_labels(path))
        if not rows:
            raise NothingToImport(
                f"{path} holds no labels: every row is empty. Fill the column label."
            )

        def take(writer: Writer, learned: LearnedImages) -> LabelSummary:
            given = given_by_rows(writer, rows, path, roles)
            moved = sum(
                len(change_roles(self._session, writer, learned, images, role).images)
                for role, images in given.moves.items()
            )
            recorded = record_changes(
                writer, given.labels, annotator=annotator, source="csv", now=self._session.now()
            )
            return LabelSummary(recorded, len(given.labels) - recorded, moved, given.left_out)

        return write_knowing_learned(self._session, take)

    def export(self, target: Path, *, history: bool = False) -> int:
        """Write the labels that count, or with `history` all of them, as .csv or .jsonl.

        Returns how many rows were written. Raises InvalidLabelFile for another kind of file.
        """
        chosen = format_to_write(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._session.store.read() as reader:
            return chosen.write(target, export_of(self._session, reader, history=history)).rows


def _items_beside(reader: Reader, item_id: int, others: bool) -> dict[int, Item]:
    """The item by its id; with `others` all items of its round, so that many answers need two queries."""
    item = reader.rounds.item(item_id)
    if item is None:
        return {}
    return {each.id: each for each in (reader.rounds.items(item.round_id) if others else [item])}


def _not_in_use(answer: Answer, classes: ClassList) -> ClassNotInUse | None:
    """The error of an answer with a class that was retired or merged."""
    former = next((c for c in classes.former if c.id == answer.class_id), None)
    if former is None:
        return None
    into = classes.given_names.get(former.into) if former.into else None
    return ClassNotInUse(former.name, into, "The answer")


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
