"""Answers of annotators: items leased, answers stored, taken back, read from a file and exported."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from alworkbench.core.domain import Answer, Item, Label, Role, RoleMismatch, Round
from alworkbench.core.errors import InvalidLabelFile, NoOpenRound, NothingToUndo
from alworkbench.core.ports import Reader, Writer
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.label_formats.protocol import Written
from alworkbench.inputs.label_formats.registry import TABLES, format_to_write
from alworkbench.project.bulk_labels import (
    ActOutcome,
    SelectionAnswer,
    record_selection,
    undo_selection,
)
from alworkbench.project.corrections import Correction, correct, newest_answers
from alworkbench.project.exports import Exports
from alworkbench.project.fair_share import AtWork, Share, fair_share
from alworkbench.project.label_export import export_of
from alworkbench.project.label_intake import (
    LabelPreview,
    LabelSummary,
    preview_history,
    preview_labels,
    take_history,
    take_labels,
)
from alworkbench.project.late_answers import Arrivals
from alworkbench.project.lease_time import RECENT, lease_time
from alworkbench.project.session import Session

TAB_LEFT = timedelta(seconds=90)
"""A tab that has not claimed for so long was left: browsers let a hidden tab act once a minute."""


class Labels:
    """Every answer is kept. Nothing here waits for a computation."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._at_work = AtWork()
        self.exports = Exports(session, self.export)

    def take_share(self, annotator: str, tab: str | None = None) -> Share:
        """Lease a fair share of the open round (see `fair_share`) to a tab of an annotator, as `claim` does.

        An open page calls this again and again; who calls is at work. Raises NoOpenRound.
        """
        now = self._session.now()
        self._at_work.asks(annotator, tab, now)
        with self._session.store.write() as writer:
            current = _open_round(writer)
            count = writer.rounds.progress(current.id)
            people = len(self._at_work.people(now) | {annotator})
            limit = fair_share(
                count.wanted - count.answers,
                people,
                self._at_work.tabs(annotator, now),
                pauses=self._at_work.pauses(annotator, now),
            )
            items = _claimed(writer, current, annotator, limit, now, tab)
            done = not items and not writer.rounds.left_for(current.id, annotator)
        done = done and count.answers < count.wanted
        elsewhere = not items and not done and self._holds(annotator, current.id, now)
        return Share(items, limit, people, done, elsewhere)

    def _holds(self, annotator: str, round_id: int, now: datetime) -> bool:
        """Whether this person holds an item of a round that they have not answered."""
        with self._session.store.read() as reader:
            items = reader.rounds.items(round_id)
        return any(
            lease.annotator == annotator
            for item in items
            if annotator not in (*item.answered_by, *item.late_by)
            for lease in item.held(now)
        )

    def people_at_work(self) -> int:
        """How many people work on the open round now, as this process sees it."""
        return len(self._at_work.people(self._session.now()))

    def claim(self, annotator: str, limit: int, tab: str | None = None) -> list[Item]:
        """Lease up to `limit` items of the open round to an annotator, for a time that suits their pace.

        Only items that want an answer, and none that the annotator answered. Raises NoOpenRound.
        `tab` is a random text of one browser tab; None outside of a browser. No two tabs get the same item.
        What a tab has not claimed again for `TAB_LEFT` goes to another tab of the same annotator.
        """
        now = self._session.now()
        with self._session.store.write() as writer:
            return _claimed(writer, _open_round(writer), annotator, limit, now, tab)

    def release(self, annotator: str, tab: str | None, item_ids: Sequence[int]) -> None:
        """Give back items that this tab of the annotator holds, so that anybody gets them at once."""
        with self._session.store.write() as writer:
            writer.rounds.release(annotator, tab, item_ids)

    def record(self, answer: Answer) -> Label:
        """Store an answer; it is on the disk when this returns. The same event id is stored once.

        An answer that comes too late is kept as a second opinion, and the label says why in `late`; a
        project can refuse such answers instead. Raises UnknownItem, ClassNotInUse for a class that was
        retired or merged, LeaseLost where another person holds the item, and AnswerTooLate.
        """
        return self.record_many([answer])[0]

    def record_many(self, answers: Sequence[Answer]) -> list[Label]:
        """Store answers in one transaction, all or none; as `record` does for each."""
        now = self._session.now()
        for annotator in {each.annotator for each in answers}:
            self._at_work.answers(annotator, now)
        with self._session.store.write() as writer:
            known = writer.labels.known([each.event_id for each in answers])
            rule, many = writer.settings().late_answers, len(answers) > 1
            arrivals = Arrivals(writer, now, rule, known, many=many)
            return writer.labels.add_many([arrivals.judged(each) for each in answers], now)

    def correct(self, correction: Correction) -> Label:
        """Store a new answer of a person in place of an earlier one, in a round that is open or closed.

        It stands where the earlier answer stood, which is kept. The same event id is stored once. Raises
        NothingToCorrect where the person has no answer to the image, NotYourAnswer where the earlier
        answer is that of another person, and ClassNotInUse.
        """
        with self._session.store.write() as writer:
            return correct(writer, correction, self._session.now())

    def newest(self, annotator: str) -> list[Label]:
        """The answers that stand of the last `HISTORY` images that a person answered on the desk."""
        with self._session.store.read() as reader:
            return newest_answers(reader, annotator)

    def undo(self, annotator: str, event_id: str, answer: str | None = None) -> Label:
        """Take back an answer of an annotator in the open round; returns the answer.

        `answer` is its event id; None takes the newest. Nobody takes back the answer of another person. The
        same event id acts once, for the person who sent it first. Raises NothingToUndo.
        """
        with self._session.store.write() as writer:
            done = writer.labels.retracted_by(event_id)
            if done is not None:
                if done.annotator != annotator:
                    raise NothingToUndo(annotator)
                return done
            current = writer.rounds.current()
            if current is None:
                newest = None
            elif answer is None:
                newest = writer.labels.newest_of(annotator, current.id)
            else:
                newest = _standing(writer, answer, annotator, current.id)
            if newest is None:
                raise NothingToUndo(annotator)
            writer.labels.retract(newest.id, event_id, annotator, self._session.now())
            return newest

    def record_selection(self, given: SelectionAnswer) -> ActOutcome:
        """Store the same answer for each image of a selection, in one transaction; see `bulk_labels`.

        Raises SelectionTooLarge, NotInProject for an unknown image, and ClassNotInUse.
        """
        return record_selection(self._session, given)

    def undo_selection(self, annotator: str, act_id: str, event_id: str) -> list[Label]:
        """Take back the answers of an act of this person; returns them. Raises NothingToUndo."""
        return undo_selection(self._session, annotator, act_id, event_id)

    def import_file(
        self,
        path: Path,
        annotator: str,
        roles: RoleMismatch = RoleMismatch.REFUSE,
        *,
        mapping: ColumnMapping = OUR_OWN,
        format: str | None = None,
    ) -> LabelSummary:
        """Record the answers in a label file (see `read_labels`): all rows, or none.

        A row is known if it says what the answer of this annotator says that counts now; every other row
        is recorded. A row replaces an older answer of this annotator only; to correct the answers of a
        person, name that person. `roles` says what to do where the file gives an image another role.
        `mapping` says how the columns of a table are named, and `format` is the name of a format (None: the
        one that the file has). Raises InvalidLabelFile, also for an image that the project does not have,
        UnknownClass, ContradictingLabels, DifferentRoles, NothingToImport, and with `RoleMismatch.CHANGE`
        what `Roles.change` raises without a confirmation.
        """
        return take_labels(self._session, path, annotator, roles, mapping, format)

    def import_history(
        self,
        path: Path,
        roles: RoleMismatch = RoleMismatch.REFUSE,
        *,
        format: str | None = None,
    ) -> LabelSummary:
        """Record the events of an export of another project as they were recorded there: all, or none.

        Each keeps its event id, person, time, duration and kind, and where it was asked for. Take-backs
        come along. Events that the project has are known; reading twice records nothing. Raises
        HistoriesDiffer for an event that the project has with another content, and where the project has
        answers of a person to an image with which the history of the file does not begin; and what
        `import_file` raises.
        """
        return take_history(self._session, path, roles, format)

    def preview(
        self,
        path: Path,
        annotator: str,
        roles: RoleMismatch = RoleMismatch.REFUSE,
        *,
        mapping: ColumnMapping = OUR_OWN,
        format: str | None = None,
        history: bool = False,
    ) -> LabelPreview:
        """What `import_file`, or with `history` `import_history`, would do. Nothing is stored.

        Raises InvalidLabelFile only where the file itself cannot be read.
        """
        if history:
            return preview_history(self._session, path, roles, format)
        return preview_labels(self._session, path, annotator, roles, mapping, format)

    def export(
        self,
        target: Path,
        *,
        format: str | None = None,
        history: bool = False,
        place: Literal["copy", "link"] = "copy",
        role: Role | None = None,
        annotators: Collection[str] = (),
        soft: bool = False,
    ) -> Written:
        """Write the labels that count, or with `history` all of them, or with `soft` one row for each image
        with the share of each class in the answers of all people (see `soft_records`), as a table.

        With `role`, only those of this set; with `annotators`, only those of these people. `format` is the
        name of a format; None: that of the suffix. `place` says whether formats with pictures copy or link
        them. Raises InvalidLabelFile where no format fits the target.
        """
        chosen = format_to_write(target, format)
        if soft and (history or chosen.name not in TABLES):
            raise InvalidLabelFile(
                f"Soft labels are a table of the format {' or '.join(TABLES)}, and have no history. Nothing "
                f"was written. Name a file such as soft.csv, and choose either soft labels or the history."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._session.store.read() as reader:
            return chosen.write(
                target,
                export_of(
                    self._session,
                    reader,
                    history=history,
                    place=place,
                    role=role,
                    annotators=annotators,
                    soft=soft,
                ),
            )


def _open_round(reader: Reader) -> Round:
    current = reader.rounds.current()
    if current is None:
        raise NoOpenRound
    return current


def _claimed(
    writer: Writer, current: Round, annotator: str, limit: int, now: datetime, tab: str | None
) -> list[Item]:
    """Items leased for a time that suits the pace of the annotator."""
    recent = writer.labels.recent(annotator, RECENT)
    lasts = lease_time([each.recorded_at for each in reversed(recent)], limit)
    return writer.rounds.claim(
        current.id, annotator, limit, now, now + lasts, tab=tab, left_before=now - TAB_LEFT
    )


def _standing(reader: Reader, event_id: str, annotator: str, round_id: int) -> Label | None:
    """The answer with this event id, if the annotator gave it in the round and it still stands."""
    label = reader.labels.by_event(event_id)
    if label is None or label.annotator != annotator or label.item_id is None:
        return None
    item = reader.rounds.item(label.item_id)
    if item is None or item.round_id != round_id:
        return None
    opinion = reader.labels.opinion(annotator, label.image_id)
    return label if opinion is not None and opinion.id == label.id else None
