"""Labels as a Parquet table, written and read in groups of rows by pyarrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.inputs.csv_tables import InvalidTable, TableRow
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import COLUMNS, text_of
from alworkbench.inputs.label_formats.tables import LIMITS, TableFormat

ROWS_AT_ONCE = 8192
"""Rows of one group."""


class ParquetFormat(TableFormat):
    """One row for each label; times are texts in ISO 8601, as in the other formats."""

    name = "parquet"
    title = "Parquet table"
    suffixes = (".parquet",)

    def write(self, target: Path, export: Export) -> Written:
        """Columns have their types, and null where there is no value."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {str: pa.string(), datetime: pa.string(), int: pa.int64(), float: pa.float64()}
        types[bool] = pa.bool_()
        schema = pa.schema([(name, types[kind]) for name, kind in export.kinds.items()])
        count = 0
        rows = iter(export.rows)
        with atomic_path(target) as draft, pq.ParquetWriter(draft, schema) as writer:
            while group := [dict(row) for row in islice(rows, ROWS_AT_ONCE)]:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                count += len(group)
        return Written(count)

    def rows(self, path: Path, needed: Collection[str]) -> Iterator[TableRow]:
        """See `tables.Table.rows`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if (size := path.stat().st_size) > LIMITS.bytes:
            raise InvalidTable(f"it has {size:,} bytes, over {LIMITS.bytes:,}", "Split it.")
        with path.open("rb") as stream:
            try:
                file = pq.ParquetFile(stream)
                yield from _rows(file, needed)
            except pa.ArrowException as error:
                raise InvalidTable(
                    f"it is no Parquet table that can be read ({' '.join(str(error).split())[:200]})",
                    "Write it again, or give a CSV table.",
                ) from error


def _rows(file: Any, needed: Collection[str]) -> Iterator[TableRow]:
    names = list(file.schema_arrow.names)
    if missing := sorted(set(needed) - set(names)):
        raise InvalidTable(
            f"it has no column {' or '.join(missing)}; found {names[:10]}",
            f"It must have the columns {', '.join(needed)}.",
        )
    if file.metadata.num_rows > LIMITS.rows:
        raise InvalidTable(f"it has more than {LIMITS.rows:,} rows", "Split it.")
    wanted = [name for name in dict.fromkeys((*COLUMNS, *needed)) if name in names]
    if repeated := [name for name in wanted if names.count(name) > 1]:
        raise InvalidTable(
            f"it has the column {repeated[0]} twice", "Each name may stand there once."
        )
    line = 0
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted):
        for row in batch.to_pylist():
            line += 1
            yield TableRow(line, _texts(line, row))


def _texts(line: int, row: dict[str, Any]) -> dict[str, str]:
    try:
        texts = {name: text_of(value, name) for name, value in row.items()}
    except ValueError as error:
        raise InvalidTable(
            f"row {line}: {error}", "Store texts, numbers and true or false in these columns."
        ) from error
    for name, text in texts.items():
        if len(text) > LIMITS.field:
            raise InvalidTable(
                f"row {line}: {name} has {len(text):,} characters, over {LIMITS.field:,}",
                "Correct that row.",
            )
    return texts
