"""What an import found, kept as a file, so that people can read it later: one file for each job."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import JobKind, ProjectFolder
from alworkbench.core.kept_values import KeptFiles
from alworkbench.inputs.formula_guard import harmless
from alworkbench.project.import_orders import ImportOrder
from alworkbench.project.label_findings import Problem

KEPT = 20
"""Reports that are kept."""
MOST_BYTES = 32 * 2**20
"""Of reports that are kept in memory: of some 200,000 files that were left out."""
COLUMNS = ("file", "reason", "detail")


class ImportReport(BaseModel):
    """What a job of importing or encoding did; or, of a dry run, what it would do."""

    model_config = ConfigDict(frozen=True)

    job_id: int
    kind: JobKind
    by: str
    """Who asked for it."""
    at: datetime
    """When it was done."""
    words: str
    """The counts, in a line."""
    notes: tuple[str, ...] = ()
    """What needs attention, in sentences."""
    unreadable: tuple[tuple[str, str, str], ...] = ()
    """(file, code, detail) of what was left out."""
    problems: tuple[Problem, ...] = ()
    """Of a dry run: why the source would be refused."""
    nothing: str = ""
    """Of a dry run: why an import would change nothing; empty where it would change something."""
    dry_run: bool = False
    exported: str = ""
    """Where an export was written; empty for everything else."""
    order: ImportOrder | None = None
    """What was imported; None where images were encoded."""

    @property
    def next_order(self) -> ImportOrder | None:
        """What may be imported after this look: its order; None where it was no look, or has no use."""
        return None if not self.dry_run or self.problems or self.nothing else self.order

    @cached_property
    def csv(self) -> str:
        """What was left out and why, and the problems, as a table; made once."""
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in (*self.unreadable, *_rows_of(self.problems)):
            writer.writerow([harmless(cell) for cell in row])
        return stream.getvalue()


def keep_report(folder: ProjectFolder, report: ImportReport) -> None:
    """Write the report, and delete the oldest ones. Raises OutputUnwritable."""
    folder.imports.mkdir(parents=True, exist_ok=True)
    write_atomically(_place(folder, report), report.model_dump_json(indent=1).encode())
    for old in sorted(folder.imports.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)


def kept_reports(folder: ProjectFolder) -> list[ImportReport]:
    """The reports that are kept, newest first. A file that is no report is left out.

    A report is read once, until its file changes.
    """
    found = []
    for place in sorted(folder.imports.glob("*.json"), reverse=True):
        with suppress(OSError, ValidationError):
            found.append(_REPORTS.of(place))
    return found


def forget_report(folder: ProjectFolder, report: ImportReport) -> None:
    """Delete a report."""
    _place(folder, report).unlink(missing_ok=True)


def _read_report(place: Path) -> ImportReport:
    return ImportReport.model_validate_json(place.read_bytes())


_REPORTS = KeptFiles(_read_report, MOST_BYTES)


def _place(folder: ProjectFolder, report: ImportReport) -> Path:
    return folder.imports / f"{report.job_id:010}.json"


def _rows_of(problems: Iterable[Problem]) -> Iterable[tuple[str, str, str]]:
    for problem in problems:
        for name in problem.named:
            yield name, problem.what, f"{problem.count:,} in all"
