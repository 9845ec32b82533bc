"""Labels as lines of JSON objects."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.inputs.csv_tables import InvalidTable, TableRow
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import COLUMNS, text_of
from alworkbench.inputs.label_formats.tables import LIMITS, TableFormat


class JsonLinesFormat(TableFormat):
    """One object on each line, in UTF-8."""

    name = "jsonl"
    title = "one JSON object on each line"
    suffixes = (".jsonl", ".ndjson")

    def write(self, target: Path, export: Export) -> Written:
        """Names stay readable: no character is escaped that JSON does not escape."""
        count = 0
        with atomic_path(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            for row in export.rows:
                file.write(
                    json.dumps({name: row[name] for name in export.kinds}, ensure_ascii=False)
                )
                file.write("\n")
                count += 1
        return Written(count)

    def rows(self, path: Path, needed: Collection[str]) -> Iterator[TableRow]:
        """See `tables.Table.rows`."""
        if path.stat().st_size > LIMITS.bytes:
            raise InvalidTable(f"it has more than {LIMITS.bytes:,} bytes", "Split it.")
        with path.open(encoding="utf-8-sig", errors="strict", newline="\n") as stream:
            line = 0
            try:
                for line, text in enumerate(stream, 1):
                    if text.strip():
                        found = json.loads(text, object_pairs_hook=_once)
                        yield TableRow(line, _texts(found, needed))
            except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
                if isinstance(error, InvalidTable):
                    raise
                raise InvalidTable(
                    f"line {line}: {error}",
                    f"Each line must be a JSON object in UTF-8 with the texts {' and '.join(needed)}.",
                ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name repeats in the object")
    return found


def _texts(found: Any, needed: Collection[str]) -> dict[str, str]:
    """The values that rows are read from as texts, as a CSV table has them."""
    if not isinstance(found, Mapping) or not set(needed) <= set(found):
        raise ValueError(f"it is no object with {' and '.join(needed)}")
    return {name: text_of(found[name], name) for name in {*COLUMNS, *needed} & set(found)}
