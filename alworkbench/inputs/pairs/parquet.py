"""Image-caption pairs from a Parquet file, with paths or with encoded pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.core.errors import UnreadableSource
from alworkbench.inputs.pairs.shuffle import interleaved, shuffled
from alworkbench.inputs.pairs.source import (
    Pair,
    PairSource,
    columns,
    row_is_usable,
    unreadable,
    usable,
)

CHUNK = 1 << 20


def open_parquet(path: Path) -> PairSource:
    """The reader for a Parquet file, by the types of its columns. Raises UnreadableSource."""
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    columns(path, schema.names)
    image, caption = schema.field("image").type, schema.field("caption").type
    if _is_text(caption) and _is_text(image):
        return ParquetPaths(path)
    if _is_text(caption) and (pa.types.is_binary(image) or pa.types.is_large_binary(image)):
        return ParquetPictures(path)
    raise UnreadableSource(
        f"{path} has a column image of type {image} and a column caption of type {caption}. Images "
        f"must be paths (string) or encoded pictures (binary); captions must be strings."
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class ParquetPaths:
    """Rows of a Parquet file with paths. Memory holds all texts, but no picture."""

    def __init__(self, path: Path) -> None:
        self.name, self.files, self.ignored = path.name, (path,), 0
        self._path = path
        self._texts: tuple[pa.Array, pa.Array, list[int]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Another process reads the file itself.
        return {**self.__dict__, "ignored": 0, "_texts": None}

    def count(self) -> int:
        """Number of pairs."""
        return len(self._table()[2])

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs in an order shuffled by the seed."""
        images, captions, rows = self._table()
        order = list(rows)
        random.Random(seed).shuffle(order)
        for k in order:
            yield Pair(self._path.parent / images[k].as_py().strip(), captions[k].as_py().strip())

    def _table(self) -> tuple[pa.Array, pa.Array, list[int]]:
        if self._texts is None:
            try:
                table = pq.read_table(self._path, columns=["image", "caption"])
                images, captions = (
                    table[name].cast(pa.large_string()).combine_chunks()
                    for name in ("image", "caption")
                )
                rows = [
                    k
                    for k in range(len(images))
                    if row_is_usable((images[k].as_py() or "", captions[k].as_py() or ""), 0, 1)
                ]
            except (OSError, ValueError, pa.ArrowException) as error:
                raise unreadable(self._path, error) from error
            self.ignored = len(images) - len(rows)
            self._texts = images, captions, rows
        return self._texts


class ParquetPictures:
    """Rows of a Parquet file that contains the pictures; a few are read at a time."""

    ROWS = 16

    def __init__(self, path: Path) -> None:
        self.name, self.files, self.ignored = path.name, (path,), 0
        self._path = path

    def count(self) -> int:
        """Number of rows: at least the number of pairs."""
        with pq.ParquetFile(self._path) as file:
            return int(file.metadata.num_rows)

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs, shuffled through a buffer with this seed."""
        self.ignored = 0
        with pq.ParquetFile(self._path) as file:
            groups = file.num_row_groups
        rng = random.Random(seed)
        yield from shuffled(interleaved([partial(self._group, k) for k in range(groups)], rng), rng)

    def _group(self, group: int) -> Iterator[Pair]:
        try:
            with pq.ParquetFile(self._path, buffer_size=CHUNK, pre_buffer=False) as file:
                for block in file.iter_batches(
                    self.ROWS, row_groups=[group], columns=["image", "caption"], use_threads=False
                ):
                    for row in block.to_pylist():
                        if usable(row["image"], row["caption"]):
                            yield Pair(row["image"], row["caption"].strip())
                        else:
                            self.ignored += 1
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self._path, error) from error
