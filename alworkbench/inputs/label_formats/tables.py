"""What all formats of tables share: rows of texts, from which labels and histories are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from alworkbench.inputs.csv_tables import TableLimits, TableRow
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.record import LabelRow, full_record, label_row

LIMITS = TableLimits(bytes=512 * 2**20, rows=5_000_000)
_HISTORY = ("hash", "event_id")


@runtime_checkable
class Table(Protocol):
    """A format that holds a label in each row."""

    def rows(self, path: Path, needed: Collection[str]) -> Iterator[TableRow]:
        """The rows with texts in their columns; `needed` ones must be there. Raises InvalidTable, OSError."""
        ...


class TableFormat:
    """Reads labels and histories from the rows of a table."""

    suffixes: tuple[str, ...] = ()
    holds_images = False

    def rows(self, path: Path, needed: Collection[str]) -> Iterator[TableRow]:
        """See `Table.rows`."""
        raise NotImplementedError

    def recognises(self, path: Path) -> bool:
        """By the suffix."""
        return path.suffix.lower() in self.suffixes

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The rows with an answer that counts."""
        needed = mapping.needed("image")
        for row in self.rows(source, (*needed, "split") if mapping.split_map else needed):
            found = label_row(row.line, row.fields, mapping)
            if found is not None:
                yield found

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """Every row as a full record."""
        for row in self.rows(source, _HISTORY):
            yield full_record(f"line {row.line}", row.fields)
