"""Labels as a CSV table."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from alworkbench.core.atomic_files import atomic_path
from alworkbench.inputs.csv_tables import TableRow, read_table
from alworkbench.inputs.formula_guard import harmless
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.tables import LIMITS, TableFormat


class CsvFormat(TableFormat):
    """One row for each label; `csv_tables` says which tables are understood."""

    name = "csv"
    title = "CSV table, as spreadsheets read and write it"
    suffixes = (".csv", ".tsv", ".txt")

    def write(self, target: Path, export: Export) -> Written:
        """Texts that a spreadsheet would run as formulas are guarded (`formula_guard`)."""
        count = 0
        with atomic_path(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, export.kinds, delimiter="\t" if target.suffix == ".tsv" else ","
            )
            writer.writeheader()
            for row in export.rows:
                writer.writerow({name: harmless(row[name]) for name in export.kinds})
                count += 1
        return Written(count)

    def rows(self, path: Path, needed: Collection[str]) -> Iterator[TableRow]:
        """See `tables.Table.rows`."""
        return read_table(path, needed, LIMITS)
