"""The file of records beside an export whose format has no room for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.jsonl_format import JsonLinesFormat
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.inputs.label_formats.standing_records import ORDER, Ordered, as_text, from_fields

NAME = "alworkbench-labels.jsonl"
"""One JSON object on each line: a record with its `order`. `alworkbench label` reads it on its own, too."""


def write_sidecar(folder: Path, records: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Write these records into a folder. Also without records, the file says that the folder is an export."""
    with atomic_path(folder / NAME) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        for order, row in records:
            file.write(as_text(order, row) + "\n")


def has_sidecar(folder: Path) -> bool:
    """Whether the folder is an export with records beside it."""
    return (folder / NAME).is_file()


def read_sidecar(folder: Path) -> Iterator[Ordered]:
    """The records with their places; none without the file. Raises InvalidTable, OSError."""
    if has_sidecar(folder):
        for row in JsonLinesFormat().rows(folder / NAME, (ORDER,)):
            yield from_fields(row.fields, f"line {row.line} of {NAME}")


def history_of(folder: Path) -> Iterator[Ordered]:
    """The records of a format that stores none itself. Raises InvalidTable if there are none."""
    if not has_sidecar(folder):
        raise no_history(f"it has no file {NAME}")
    return read_sidecar(folder)


def no_history(reason: str) -> InvalidTable:
    """The error of a source that holds labels, and no record of how they were given."""
    return InvalidTable(
        f"it holds no history: {reason}",
        "Read its labels as new answers, without --history; they are then those of --annotator.",
    )


def answers_without_class(records: Iterable[Ordered], seen: set[str]) -> Iterator[LabelRow]:
    """The newest skip or "cannot tell" that counts, of each picture whose content hash is not in `seen`."""
    newest: dict[str, LabelRow] = {}
    for order, record in records:
        if record["counts"] and record["kind"] != AnswerKind.CLASS and record["hash"] not in seen:
            newest[record["hash"]] = LabelRow(
                order,
                record["image"] or "",
                record["hash"],
                AnswerKind(record["kind"]),
                "",
                place=f"the record {order}",
            )
    yield from newest.values()
