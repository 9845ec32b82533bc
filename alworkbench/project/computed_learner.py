"""A learner that was computed outside of any transaction, and what is stored of it in one.

Computing takes seconds or minutes, and every answer of every person waits for a write block. So the file is
written first, then one short transaction stores what refers to it: the record of the learner, its
measurement, and the end of its round. Answers, take-backs and changes of roles that come while a learner is
computed belong to the next learner; `settings["record"]` of the learner says what existed when it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import ClassList, LearnerRecord, MetricRecord
from alworkbench.core.errors import ChangedMeanwhile, WorkbenchError
from alworkbench.core.ports import Reader, Store, Writer
from alworkbench.project.calibration import measured_with
from alworkbench.project.session import stored_id


@dataclass(frozen=True, slots=True)
class ComputedLearner:
    """A learner whose file lies in the project folder, and which no record names yet."""

    learner: Learner
    classes: ClassList
    """The class list that it knows; one that is not stored yet must be stored with it."""
    round_id: int
    """The round that it learned from last."""
    posterior_id: int
    file: str
    """Relative to the project folder."""
    labels: int
    settings: Mapping[str, Any]
    measured: MetricRecord | None
    """Without the id of the learner. None where there is no audit set."""
    before: int | None
    """Id of the newest learner when this one began; None before the first."""

    @property
    def class_list_id(self) -> int:
        """The version of its class list. Raises ValueError for one that is not stored yet."""
        return stored_id(self.classes.id)

    def store(self, writer: Writer, now: datetime) -> tuple[LearnerRecord, MetricRecord | None]:
        """Record the learner and its measurement, in the transaction of the caller.

        Raises ChangedMeanwhile where another learner was stored since this one began.
        """
        newest = writer.computed.learner()
        if (newest.id if newest else None) != self.before:
            raise ChangedMeanwhile("another learner was stored", "alworkbench learn")
        stored = writer.computed.add_learner(
            round_id=self.round_id,
            posterior_id=self.posterior_id,
            class_list_id=self.class_list_id,
            file=self.file,
            labels=self.labels,
            settings=self.settings,
            now=now,
        )
        measured = None if self.measured is None else measured_with(self.measured, stored.id)
        if measured is not None:
            writer.computed.add_metrics(measured)
        return stored, measured

    def discard(self, store: Store, folder: Path) -> None:
        """Delete the file, unless a record names it. `doctor` names what a killed process leaves."""
        try:
            with store.read() as reader:
                if self.file in learner_files(reader):
                    return
        except (WorkbenchError, RuntimeError):  # nobody can say whether a record names it
            return
        (folder / self.file).unlink(missing_ok=True)


def learner_files(reader: Reader) -> frozenset[str]:
    """The files that records name, of learners and of the prepared round, relative to the project folder."""
    prepared = reader.prepared.get()
    recorded = [*reader.computed.learners(), *reader.computed.learners(ahead=True)]
    files = frozenset(each.file for each in recorded)
    return files | {prepared.learner.file} if prepared else files


def drop_prepared(writer: Writer) -> tuple[str, ...]:
    """Keep no prepared round any more; returns the files that nothing needs after the commit."""
    prepared = writer.prepared.get()
    writer.prepared.drop()
    return (prepared.learner.file,) if prepared else ()


def remove_files(folder: Path, files: tuple[str, ...]) -> None:
    """Delete files of a project that no record names any more. `doctor` names one that stays."""
    for file in files:
        with suppress(OSError):
            (folder / file).unlink(missing_ok=True)
