"""CSV tables as people and spreadsheets write them, read strictly: no row is guessed, joined or dropped.

The first line names the columns. These are understood: UTF-8 and UTF-16 with a byte order mark, UTF-8
without one, commas, semicolons and tabs between fields, a first line `sep=;`, empty columns at the end,
and empty rows. Everything else is refused, with the line: a wrong number of fields, a stray quotation mark,
a line break inside a field, a column name that repeats.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alworkbench.inputs.formula_guard import unguarded

DELIMITERS = (",", ";", "\t")
"""Looked for in this order; the first that gives the needed columns is the one of the file."""
_NAMED_DELIMITER = re.compile(r'"?sep=(.)"?,*', re.IGNORECASE)
"""The line that Excel writes before a table, to name its delimiter."""
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks, the longer of two with the same beginning first."""
_SAVE = "Save it as CSV in UTF-8 (in Excel: Save As, CSV UTF-8)."
HEADER = 1 << 20
"""Characters that the line with the names of the columns may have."""
QUOTES = (
    "A quotation mark is missing or stray there. A field with a quotation mark stands in quotation marks, "
    "and the mark inside is written twice."
)
"""The remedy for a row that cannot be taken apart."""


class InvalidTable(ValueError):
    """A file is no table as described here. `reason` says what was found, `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class TableLimits:
    """What a table may hold; more is refused before it fills the memory."""

    bytes: int
    rows: int
    field: int = 4096
    """Characters of a field."""
    columns: int = 256


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table."""

    line: int
    """The line of the file, from 1."""
    fields: dict[str, str]
    """Column -> text, as it was before `formula_guard.harmless`."""


def read_table(
    path: Path,
    needed: Collection[str],
    limits: TableLimits,
    *,
    errors: str = "strict",
    line_breaks: bool = False,
) -> Iterator[TableRow]:
    """The rows of a CSV file with the `needed` columns, in order; further columns are given too.

    `errors` is what `open` does with bytes of another encoding. With `line_breaks` a field may hold them,
    unless it holds the delimiter too: then it swallowed rows. Raises InvalidTable, and OSError for a file
    that cannot be read.
    """
    if (size := path.stat().st_size) > limits.bytes:
        raise InvalidTable(f"it has {size:,} bytes, over {limits.bytes:,}", "Split it.")
    line = 0
    with path.open(encoding=encoding_of(path), errors=errors, newline="") as stream:
        try:
            delimiter, names, line = read_header(partial(stream.readline, HEADER), needed, limits)
            lines = csv.reader(stream, delimiter=delimiter, strict=True)
            offset, count = line, 0
            line += 1
            for fields in lines:
                if any(fields):
                    count += 1
                    if count > limits.rows:
                        raise InvalidTable(f"it has more than {limits.rows:,} rows", "Split it.")
                    _refuse_swallowed(line, fields, delimiter if line_breaks else "")
                    yield TableRow(line, _named(line, names, fields, limits))
                line = offset + lines.line_num + 1
        except UnicodeError as error:
            where = f"after line {line - 1}" if line > 1 else "near its beginning"
            raise InvalidTable(
                f"{where} it holds bytes that are not {stream.encoding}", _SAVE
            ) from error
        except csv.Error as error:
            raise InvalidTable(f"the row that begins in line {line}: {error}", QUOTES) from error


def encoding_of(path: Path) -> str:
    """utf-8, or what the byte order mark says. Raises InvalidTable for what looks like UTF-16 without one."""
    with path.open("rb") as stream:
        head = stream.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head[:2]:
        raise InvalidTable("it looks like UTF-16 without a byte order mark", _SAVE)
    return "utf-8"


def read_header(
    readline: Callable[[], str], needed: Collection[str], limits: TableLimits
) -> tuple[str, list[str], int]:
    """(delimiter, names of the columns, number of lines that were read), from the beginning of a table.

    Raises InvalidTable where a needed column is missing, or a name repeats.
    """
    read, first = 1, readline()
    delimiters: tuple[str, ...] = DELIMITERS
    if named := _NAMED_DELIMITER.fullmatch(first.strip("\r\n ")):
        delimiters = (named[1],)
        read, first = 2, readline()
    found = {delimiter: _names(first, delimiter) for delimiter in delimiters}
    delimiter = next((d for d, names in found.items() if set(needed) <= set(names)), None)
    if delimiter is None:
        names = max(found.values(), key=len)
        missing = " or ".join(sorted(set(needed) - set(names)))
        raise InvalidTable(
            f"it has no column {missing}; found {names[:10]}",
            f"The first line must name the columns, separated by commas: {','.join(needed)}.",
        )
    names = found[delimiter]
    if len(names) > limits.columns:
        raise InvalidTable(f"it names more than {limits.columns} columns", "Remove some.")
    if repeated := {name for name in names if name and names.count(name) > 1}:
        raise InvalidTable(
            f"its first line names the columns {', '.join(sorted(repeated))} twice",
            "Each name may stand there once.",
        )
    return delimiter, names, read


def _names(line: str, delimiter: str) -> list[str]:
    """Names of columns, without the empty ones that a spreadsheet adds at the end."""
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
    names = [name.strip() for name in names]
    while names and not names[-1]:
        names.pop()
    return names


def _refuse_swallowed(line: int, fields: list[str], delimiter: str) -> None:
    """Raises InvalidTable for a field with a line break and the delimiter; an empty one is in every field."""
    if any(delimiter in field and ("\n" in field or "\r" in field) for field in fields):
        raise InvalidTable(
            f"line {line}: a field goes on over the end of the line, which no name of an image or a "
            f"class does",
            QUOTES,
        )


def _named(line: int, names: list[str], fields: list[str], limits: TableLimits) -> dict[str, str]:
    fields = whole_row(line, names, fields)
    if (longest := max(map(len, fields))) > limits.field:
        raise InvalidTable(
            f"line {line}: a field has {longest:,} characters, over {limits.field:,}",
            "Correct that line.",
        )
    return {name: unguarded(field) for name, field in zip(names, fields, strict=True) if name}


def whole_row(line: int, names: list[str], fields: list[str]) -> list[str]:
    """The fields, one for each column; empty ones that a spreadsheet adds at the end are left out.

    Raises InvalidTable for another number of fields.
    """
    given = len(fields)
    while len(fields) > len(names) and not fields[-1]:
        fields = fields[:-1]
    if len(fields) != len(names):
        raise InvalidTable(
            f"line {line}: {given} fields were found, and the first line names {len(names)} columns",
            "Correct that line. A field that holds the delimiter stands in quotation marks.",
        )
    return fields
