"""Image-caption pairs from a CSV file in UTF-8. A caption may hold line breaks; rows are read strictly."""

from __future__ import annotations

import csv
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from alworkbench.inputs.csv_tables import (
    QUOTES,
    InvalidTable,
    TableLimits,
    encoding_of,
    read_header,
    whole_row,
)
from alworkbench.inputs.pairs.source import Pair, columns, row_is_usable, unreadable

MAX_LINE_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"
LIMITS = TableLimits(bytes=1 << 40, rows=1 << 32)


@dataclass(frozen=True, slots=True)
class Index:
    """Where the usable rows of a file begin, and how to take one apart."""

    offsets: array[int]
    image: int
    """Column of the image."""
    caption: int
    delimiter: str


class CsvPairs:
    """Rows of a CSV. Memory holds only the offset of each row: 8 bytes a pair."""

    def __init__(self, path: Path) -> None:
        self.name, self.files, self.ignored = path.name, (path,), 0
        self._path = path
        self._index: Index | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Another process reads the file itself.
        return {**self.__dict__, "ignored": 0, "_index": None}

    def count(self) -> int:
        """Number of pairs."""
        return len(self._rows().offsets)

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs in an order shuffled by the seed."""
        index = self._rows()
        order = list(range(len(index.offsets)))
        random.Random(seed).shuffle(order)
        try:
            with self._path.open("rb") as stream:
                for k in order:
                    stream.seek(index.offsets[k])
                    rows = csv.reader(_lines(stream), delimiter=index.delimiter, strict=True)
                    row = next(rows, [])
                    if not row_is_usable(row, index.image, index.caption):
                        raise csv.Error("the file changed while it was read")
                    image, caption = row[index.image].strip(), row[index.caption].strip()
                    yield Pair(self._path.parent / image, caption)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise unreadable(self._path, error) from error

    def _rows(self) -> Index:
        if self._index is None:
            try:
                self._index = self._read_index()
            except (OSError, UnicodeDecodeError, csv.Error, InvalidTable) as error:
                raise unreadable(self._path, error) from error
        return self._index

    def _read_index(self) -> Index:
        if not encoding_of(self._path).startswith("utf-8"):
            raise InvalidTable("it is not UTF-8", "Save it as UTF-8.")
        offsets = array("q")
        with self._path.open("rb") as stream:
            if stream.read(len(BOM)) != BOM:
                stream.seek(0)
            lines = _lines(stream)
            delimiter, header, read = read_header(
                lambda: next(lines, ""), ("image", "caption"), LIMITS
            )
            image, caption = columns(self._path, header)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            start, line = stream.tell(), read + 1
            try:
                for row in reader:
                    if any(row):
                        if row_is_usable(whole_row(line, header, row), image, caption):
                            offsets.append(start)
                        else:
                            self.ignored += 1
                    start, line = stream.tell(), read + reader.line_num + 1
            except csv.Error as error:
                raise InvalidTable(
                    f"the row that begins in line {line}: {error}", QUOTES
                ) from error
        return Index(offsets, image, caption, delimiter)


def _lines(stream: BufferedReader) -> Iterator[str]:
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error(f"a line has more than {MAX_LINE_BYTES:,} bytes")
        yield line.decode("utf-8")
