"""Label files taken into a project: as new answers of a person, or with their history; or only looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alworkbench.core.domain import Role, RoleMismatch
from alworkbench.core.errors import ClassNotInUse, NothingToImport, WorkbenchError
from alworkbench.core.ports import Reader, Writer
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.label_formats.reading import read_history, read_labels
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.project.given_labels import changes, record_changes
from alworkbench.project.label_findings import Findings, Problem
from alworkbench.project.label_history import (
    GivenHistory,
    Record,
    given_by_history,
    record_history,
)
from alworkbench.project.label_import import ImageFinder, given_by_rows
from alworkbench.project.learned_images import LearnedImages, write_knowing_learned
from alworkbench.project.named_files import other_pictures
from alworkbench.project.roles import change_roles, check_change
from alworkbench.project.session import Session


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
    taken_back: int = 0
    """Take-backs of a history that were recorded."""
    other_pictures: tuple[str, ...] = ()
    """Paths that the file names, and that hold another picture now than the one with the hash of the row."""


@dataclass(frozen=True, slots=True)
class LabelPreview:
    """What reading a label file would do. Nothing was stored."""

    rows: int
    would: LabelSummary
    """What would be recorded, without the rows that are among the problems."""
    problems: tuple[Problem, ...]
    """Why the file would be refused; empty for a file that can be read."""


def take_labels(
    session: Session,
    path: Path,
    annotator: str,
    roles: RoleMismatch,
    mapping: ColumnMapping = OUR_OWN,
    format: str | None = None,
) -> LabelSummary:
    """See `Labels.import_file`."""
    rows = list(read_labels(path, mapping, format))
    if not rows:
        raise NothingToImport(f"{path} holds no labels: every row is empty. Fill the column label.")

    def take(writer: Writer, learned: LearnedImages) -> LabelSummary:
        find = ImageFinder(writer, session.folder, mapping.root)
        given = given_by_rows(writer, rows, path, roles, find)
        given.findings.refuse(writer.classes.current().names)
        moved = _move(session, writer, learned, given.moves)
        recorded = record_changes(
            writer, given.labels, annotator=annotator, source="csv", now=session.now()
        )
        return LabelSummary(recorded, len(given.labels) - recorded, moved, given.left_out)

    done = write_knowing_learned(session, take)
    return replace(done, other_pictures=_other_pictures(session, rows))


def preview_labels(
    session: Session,
    path: Path,
    annotator: str,
    roles: RoleMismatch,
    mapping: ColumnMapping = OUR_OWN,
    format: str | None = None,
) -> LabelPreview:
    """What `take_labels` would do. Raises only where the file itself cannot be read."""
    rows = list(read_labels(path, mapping, format))
    with session.store.read() as reader:
        given = given_by_rows(
            reader, rows, path, roles, ImageFinder(reader, session.folder, mapping.root)
        )
        try:
            fresh = len(changes(reader, given.labels, annotator))
        except ClassNotInUse as error:
            fresh = 0
            given.findings.others.append(str(error))
        moved = _would_move(session, reader, given.moves, given.findings)
    would = LabelSummary(
        fresh,
        len(given.labels) - fresh,
        moved,
        given.left_out,
        other_pictures=_other_pictures(session, rows),
    )
    return LabelPreview(len(rows), would, given.findings.problems())


def take_history(
    session: Session, path: Path, roles: RoleMismatch, format: str | None = None
) -> LabelSummary:
    """See `Labels.import_history`."""
    records = list(read_history(path, format))
    if not records:
        raise NothingToImport(f"{path} holds no labels.")

    def take(writer: Writer, learned: LearnedImages) -> LabelSummary:
        find = ImageFinder(writer, session.folder)
        given = given_by_history(writer, records, path, roles, find)
        given.findings.refuse(writer.classes.current().names)
        moved = _move(session, writer, learned, given.moves)
        record_history(writer, given)
        return _of_history(given, moved)

    done = write_knowing_learned(session, take)
    return replace(done, other_pictures=_named_pictures(session, records))


def preview_history(
    session: Session, path: Path, roles: RoleMismatch, format: str | None = None
) -> LabelPreview:
    """What `take_history` would do. Raises only where the file itself cannot be read."""
    records = list(read_history(path, format))
    with session.store.read() as reader:
        given = given_by_history(reader, records, path, roles, ImageFinder(reader, session.folder))
        moved = _would_move(session, reader, given.moves, given.findings)
    would = replace(_of_history(given, moved), other_pictures=_named_pictures(session, records))
    return LabelPreview(len(records), would, given.findings.problems())


def _of_history(given: GivenHistory, moved: int) -> LabelSummary:
    return LabelSummary(
        len(given.answers), given.known, moved, given.left_out, len(given.take_backs)
    )


def _other_pictures(session: Session, rows: Sequence[LabelRow]) -> tuple[str, ...]:
    return other_pictures(session, ((row.image, row.hash) for row in rows))


def _named_pictures(session: Session, records: Sequence[Record]) -> tuple[str, ...]:
    return other_pictures(session, ((each["image"] or "", each["hash"]) for each in records))


def _move(
    session: Session,
    writer: Writer,
    learned: LearnedImages,
    moves: Mapping[Role, Sequence[int]],
) -> int:
    """Give images the roles of the file; how many changed theirs."""
    return sum(
        len(change_roles(session, writer, learned, images, role).images)
        for role, images in moves.items()
    )


def _would_move(
    session: Session, reader: Reader, moves: Mapping[Role, Sequence[int]], findings: Findings
) -> int:
    """How many images would change their role; why they may not is added to the findings."""
    for role, images in moves.items():
        try:
            check_change(session, reader, images, role)
        except WorkbenchError as error:
            findings.others.append(str(error))
    return sum(len(set(images)) for images in moves.values())
