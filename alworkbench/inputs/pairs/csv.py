"""Image-caption pairs from a CSV file in UTF-8."""

from __future__ import annotations

import csv
import random
from array import array
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from alworkbench.inputs.pairs.source import Pair, columns, row_is_usable, unreadable

MAX_LINE_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"


class CsvPairs:
    """Rows of a CSV. Memory holds only the offset of each row: 8 bytes a pair."""

    def __init__(self, path: Path) -> None:
        self.name, self.files, self.ignored = path.name, (path,), 0
        self._path = path
        self._index: tuple[array[int], int, int] | None = None

    def count(self) -> int:
        """Number of pairs."""
        return len(self._rows()[0])

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs in an order shuffled by the seed."""
        offsets, image, caption = self._rows()
        order = list(range(len(offsets)))
        random.Random(seed).shuffle(order)
        try:
            with self._path.open("rb") as stream:
                for k in order:
                    stream.seek(offsets[k])
                    row = next(csv.reader(_lines(stream)), [])
                    if not row_is_usable(row, image, caption):
                        raise csv.Error("the file changed while it was read")
                    yield Pair(self._path.parent / row[image].strip(), row[caption].strip())
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise unreadable(self._path, error) from error

    def _rows(self) -> tuple[array[int], int, int]:
        """(offset of every usable row, column of the image, column of the caption)"""
        if self._index is None:
            offsets = array("q")
            try:
                with self._path.open("rb") as stream:
                    if stream.read(len(BOM)) != BOM:
                        stream.seek(0)
                    reader = csv.reader(_lines(stream))
                    header = [name.strip() for name in next(reader, [])]
                    image, caption = columns(self._path, header)
                    start = stream.tell()
                    for row in reader:
                        if row_is_usable(row, image, caption):
                            offsets.append(start)
                        elif row:
                            self.ignored += 1
                        start = stream.tell()
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise unreadable(self._path, error) from error
            self._index = offsets, image, caption
        return self._index


def _lines(stream: BufferedReader) -> Iterator[str]:
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error(f"a line has more than {MAX_LINE_BYTES:,} bytes")
        yield line.decode("utf-8")
