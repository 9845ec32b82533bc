"""Exports as screens need them: the first rows, a file to download, or a job that writes into a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from alworkbench.core.domain import JobKind, Role
from alworkbench.core.errors import OutputUnwritable
from alworkbench.core.kept_values import KeptValues
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.core.words import counted
from alworkbench.inputs.label_formats.protocol import Written
from alworkbench.inputs.label_formats.registry import format_named
from alworkbench.project.import_reports import ImportReport, keep_report
from alworkbench.project.label_export import export_of
from alworkbench.project.review_cases import different_answers
from alworkbench.project.session import Session

EXPORT_TITLE = "export to "
"""How the title of the job of an export begins."""
STEM = "labels"
"""The name of an exported file without its ending, and of an exported folder."""
MOST_NAMED = 10
"""Images without their picture that a report names."""
MOST_KEPT = 8
"""Looks at the first records that are kept in memory, each of other options."""


class ExportOrder(BaseModel):
    """The options of `alworkbench export`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = "csv"
    history: bool = False
    place: Literal["copy", "link"] = "copy"
    role: Role | None = None
    annotators: tuple[str, ...] = ()
    soft: bool = False
    """One row for each image, with the share of each class (see `soft_records`), in a table."""
    target: Path | None = None
    """Where a job writes it; absolute."""

    @property
    def file_name(self) -> str:
        """The name of the file to download; a folder is packed into an archive."""
        suffixes = format_named(self.format).suffixes
        if self.soft:
            return f"soft-{STEM}{suffixes[0] if suffixes else ''}"
        return f"{STEM}{suffixes[0]}" if suffixes else f"{STEM}-{self.format}.zip"

    @property
    def records(self) -> dict[str, Any]:
        """Which records, as `export_of` takes it."""
        return {
            "history": self.history,
            "role": self.role,
            "annotators": self.annotators,
            "soft": self.soft,
        }

    @property
    def options(self) -> dict[str, Any]:
        """The options of `Labels.export`."""
        return {"format": self.format, "place": self.place, **self.records}


class Exports:
    """Previews and writes exports."""

    def __init__(self, session: Session, export: Callable[..., Written]) -> None:
        """`export` is `Labels.export`."""
        self._session = session
        self._export = export
        self._first: KeptValues[tuple[list[dict[str, Any]], int]] = KeptValues(MOST_KEPT)
        self._annotators: KeptValues[list[str]] = KeptValues()
        self._different: KeptValues[int] = KeptValues()

    def first_rows(self, order: ExportOrder, most: int) -> tuple[list[dict[str, Any]], int]:
        """The first records of an export, and how many it has. Kept until a record changes."""
        with self._session.store.read() as reader:

            def made() -> tuple[list[dict[str, Any]], int]:
                rows = export_of(self._session, reader, **order.records).rows
                return list(islice(rows, most)), len(rows)

            return self._first.of((_mark(reader), most, *order.records.items()), made)

    def annotators(self) -> list[str]:
        """Everybody who gave a label, by name. Kept until there is a new label."""
        with self._session.store.read() as reader:
            return self._annotators.of(
                reader.labels.moment(),
                lambda: sorted({label.annotator for label in reader.labels.all()}),
            )

    def unsettled(self) -> tuple[int, int]:
        """How many images have different answers that no reviewer settled, and how many cases are open.

        The first number is kept until a label or the class list changes.
        """
        with self._session.store.read() as reader:
            mark = reader.labels.moment(), reader.classes.current().id
            different = self._different.of(mark, lambda: len(different_answers(reader)))
            return different, reader.reviews.count_open()

    @contextmanager
    def download(self, order: ExportOrder) -> Iterator[Path]:
        """The export for as long as the block lasts: a file, or a folder to be sent as `packed` packs it.

        In a folder, pictures are links where the format allows it, so that they are not written twice.
        Raises what `Labels.export` raises.
        """
        with tempfile.TemporaryDirectory() as scratch:
            if format_named(order.format).suffixes:
                target = Path(scratch) / order.file_name
                self._export(target, **order.options)
            else:
                target = Path(scratch) / STEM
                self._export(target, **{**order.options, "place": "link"})
            yield target

    def write(self, order: ExportOrder, progress: Progress = silent) -> Written:
        """Write an export to its target, as a job with a report. Nothing is replaced.

        Raises OutputUnwritable where something is at the target, what `Labels.export` raises, and JobRuns.
        """
        target = order.target
        if target is None or not target.is_absolute():
            raise ValueError("an export into a folder needs the whole path of its target")
        jobs = self._session.jobs
        with jobs.claim(JobKind.IMPORT, lambda: f"{EXPORT_TITLE}{target.name}", progress) as told:
            told("writing labels", 0, 0)
            if target.exists() or target.is_symlink():
                raise OutputUnwritable(target, "something with this name is there already")
            written = self._export(target, **order.options)
            job = jobs.held(JobKind.IMPORT)
            if job is not None:
                keep_report(
                    self._session.folder,
                    ImportReport(
                        job_id=job.id,
                        kind=job.kind,
                        by=job.asked_by,
                        at=self._session.now(),
                        words=written_words(written, target),
                        notes=left_out_notes(written),
                        exported=str(target),
                    ),
                )
        return written


def _mark(reader: Reader) -> Hashable:
    """Changes with everything that a record of an export is made of: all but settings is only ever added."""
    return (
        reader.labels.moment(),
        reader.notes.moment(),
        reader.images.mark(),
        reader.images.newest_place(),
        reader.classes.current().id,
        reader.settings(),
    )


def written_words(written: Written, target: Path) -> str:
    """`Wrote 3 labels and 3 pictures to labels.csv.`"""
    pictures = f" and {counted(written.pictures, 'picture')}" if written.pictures else ""
    return f"Wrote {counted(written.rows, 'label')}{pictures} to {target}."


def left_out_notes(written: Written) -> tuple[str, ...]:
    """A sentence on images whose picture no file holds any more."""
    if not written.without_picture:
        return ()
    more = len(written.without_picture) - MOST_NAMED
    names = ", ".join(written.without_picture[:MOST_NAMED]) + f" and {more:,} more" * (more > 0)
    return (
        f"Left out, because no file holds the labelled picture any more: {names}. The records of their "
        f"labels are kept.",
    )
