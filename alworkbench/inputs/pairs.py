"""Image-caption pairs from a CSV, a Parquet file or webdataset tars: one reader for all, streaming.

    CSV         columns image (a path, relative to the file) and caption, in UTF-8
    Parquet     columns image (paths as above, or encoded pictures as bytes) and caption
    tar         webdataset: members KEY.jpg, .jpeg, .png or .webp beside KEY.txt; one file, several
                by a pattern ('shards/*.tar'), or a folder of them; gzip, bzip2 and xz too

Files are often sorted by class, and a batch of one class has contrasts that training never saw. So
pairs come in a random order that the seed fixes. Where a row can be found again by its number (CSV,
Parquet with paths) that is a permutation of all of them. Where pictures stream by (tar, Parquet with
bytes) up to `INTERLEAVED` parts (tars, row groups; themselves in random order) are read at once, and
their pairs pass a buffer of `BUFFER_PAIRS`, from which the next is drawn at random: one long sorted
part is mixed within the buffer only, so write sorted collections as many tars.

Nothing is unpacked to the disk. What is no pair (an empty or over-long caption, a picture without
one, links, members of other kinds or of absurd size) is left out and counted.
"""

from __future__ import annotations

import csv
import glob
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase, BufferedReader
from pathlib import Path, PurePosixPath
from typing import Protocol, cast, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.inputs.archives import ArchiveLimits, decompressed

MAX_IMAGE_BYTES = 64 << 20
MAX_CAPTION_BYTES = 64 << 10
MAX_LINE_BYTES = 1 << 20
BUFFER_PAIRS = 16_384
BUFFER_BYTES = 512 << 20
INTERLEAVED = 8
CHUNK = 1 << 20
IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})
TAR_PATTERNS = ("*.tar", "*.tar.gz", "*.tgz", "*.tar.bz2", "*.tar.xz")
BOM = b"\xef\xbb\xbf"

NEEDED = (
    "Needed is a CSV in UTF-8 or a Parquet file with the columns image and caption, or webdataset "
    "tars with members KEY.jpg and KEY.txt."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """An image with its caption."""

    image: Path | bytes
    """A file, or the content of one."""
    caption: str


@runtime_checkable
class PairSource(Protocol):
    """Pairs that can be read again and again, in the same order for the same seed."""

    name: str
    ignored: int
    """Entries that were no pairs, as far as `read` has come."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that the pairs come from."""
        ...

    def count(self) -> int:
        """How many pairs there are, at most. Cheap against reading the pictures."""
        ...

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs in a random order. Raises UnreadableSource where the source is damaged."""
        ...


def open_pairs(location: Path) -> PairSource:
    """The reader for a file, a pattern of tars, or a folder of them; told by content, not by name.

    Raises UnreadableSource for something else, NothingToImport where there is no file.
    """
    files = _files(location)
    try:
        heads = [_kind(path) for path in files]
    except OSError as error:
        raise _unreadable(location, error) from error
    if all(head == "tar" for head in heads):
        return TarPairs(str(location.name), files)
    if len(files) > 1:
        odd = next(path for path, head in zip(files, heads, strict=True) if head != "tar")
        raise UnreadableSource(
            f"{location} stands for {len(files)} files, and {odd.name} of them is no tar. Several "
            f"files are read only if all are tars; give a CSV or Parquet file by itself."
        )
    if heads[0] == "parquet":
        return _open_parquet(files[0])
    return CsvPairs(files[0])


def _files(location: Path) -> list[Path]:
    if location.is_dir():
        files = sorted({path for pattern in TAR_PATTERNS for path in location.glob(pattern)})
        if not files:
            raise NothingToImport(f"The folder {location} holds no tar. {NEEDED}")
        return files
    if location.exists():
        return [location]
    files = sorted(Path(path) for path in glob.glob(str(location)))  # noqa: PTH207 - may be absolute
    if not files:
        raise NothingToImport(f"There is no file {location}. {NEEDED}")
    return files


def _kind(path: Path) -> str:
    with path.open("rb") as raw:
        if raw.read(4) == b"PAR1":
            return "parquet"
        raw.seek(0)
        if zipfile.is_zipfile(path):
            raise OSError("it is a zip archive")
        try:
            if decompressed(raw).read(512)[257:262] == b"ustar":
                return "tar"
        except (EOFError, zlib.error, lzma.LZMAError):
            pass
    return "tar" if any(path.match(pattern) for pattern in TAR_PATTERNS) else "csv"


def _unreadable(path: Path, error: Exception) -> UnreadableSource:
    return UnreadableSource(f"{path} cannot be read as image-caption pairs ({error}). {NEEDED}")


def _columns(path: Path, found: Sequence[str]) -> tuple[int, int]:
    if missing := {"image", "caption"} - set(found):
        raise UnreadableSource(
            f"{path} has no column {' or '.join(sorted(missing))}; found {list(found)[:20]}. {NEEDED}"
        )
    return found.index("image"), found.index("caption")


def _usable(image: object, caption: object) -> bool:
    return (
        isinstance(image, str | bytes)
        and 0 < len(image) <= MAX_IMAGE_BYTES
        and isinstance(caption, str)
        and bool(caption.strip())
        and len(caption) <= MAX_CAPTION_BYTES
    )


# --------------------------------------------------------------------------------------------- CSV


class CsvPairs:
    """Rows of a CSV. In memory is only where each of them begins: 8 bytes a pair."""

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
                    if not _row_is_usable(row, image, caption):
                        raise csv.Error("it was changed while it was being read")
                    yield Pair(self._path.parent / row[image].strip(), row[caption].strip())
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _unreadable(self._path, error) from error

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
                    image, caption = _columns(self._path, header)
                    start = stream.tell()
                    for row in reader:
                        if _row_is_usable(row, image, caption):
                            offsets.append(start)
                        elif row:
                            self.ignored += 1
                        start = stream.tell()
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise _unreadable(self._path, error) from error
            self._index = offsets, image, caption
        return self._index


def _lines(stream: BufferedReader) -> Iterator[str]:
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error(f"a line has more than {MAX_LINE_BYTES:,} bytes")
        yield line.decode("utf-8")


def _row_is_usable(row: Sequence[str], image: int, caption: int) -> bool:
    return (
        len(row) > max(image, caption)
        and _usable(row[image].strip(), row[caption])
        and "\0" not in row[image]
    )


# ----------------------------------------------------------------------------------------- Parquet


def _open_parquet(path: Path) -> PairSource:
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    _columns(path, schema.names)
    image, caption = schema.field("image").type, schema.field("caption").type
    if _is_text(caption) and _is_text(image):
        return ParquetPaths(path)
    if _is_text(caption) and (pa.types.is_binary(image) or pa.types.is_large_binary(image)):
        return ParquetPictures(path)
    raise UnreadableSource(
        f"{path} has a column image of type {image} and a column caption of type {caption}. Needed "
        f"are paths as strings or encoded pictures as binary, and captions as strings."
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class ParquetPaths:
    """Rows of a Parquet file with paths: all texts are held in memory, the pictures are not."""

    def __init__(self, path: Path) -> None:
        self.name, self.files, self.ignored = path.name, (path,), 0
        self._path = path
        self._texts: tuple[pa.Array, pa.Array, list[int]] | None = None

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
                    if _row_is_usable((images[k].as_py() or "", captions[k].as_py() or ""), 0, 1)
                ]
            except (OSError, ValueError, pa.ArrowException) as error:
                raise _unreadable(self._path, error) from error
            self.ignored = len(images) - len(rows)
            self._texts = images, captions, rows
        return self._texts


class ParquetPictures:
    """Rows of a Parquet file with the pictures in it, a few at a time."""

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
                        if _usable(row["image"], row["caption"]):
                            yield Pair(row["image"], row["caption"].strip())
                        else:
                            self.ignored += 1
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _unreadable(self._path, error) from error


# ---------------------------------------------------------------------------------------- tar


class TarPairs:
    """Pairs of webdataset tars, read from beginning to end."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name, self.files, self.ignored = name, tuple(files), 0
        self._count: int | None = None

    def count(self) -> int:
        """Number of pairs in all files; reads the headers once."""
        if self._count is None:  # headers alone: an uncompressed tar is not read through
            self._count = sum(1 for path in self.files for _ in self._pairs(path, read=False))
        return self._count

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs, shuffled through a buffer with this seed."""
        self.ignored = 0
        rng = random.Random(seed)
        parts = [partial(self._pairs, path) for path in self.files]
        yield from shuffled(interleaved(parts, rng), rng)

    def _pairs(self, path: Path, read: bool = True) -> Iterator[Pair]:
        """Neighbouring members of one key, as webdataset writes them, are one sample."""
        current, image, caption = "", None, None
        try:
            for key, suffix, content in self._members(path, read):
                if key != current:
                    yield from self._sample(image, caption)
                    current, image, caption = key, None, None
                if suffix == "txt" and caption is None:
                    caption = content
                elif suffix != "txt" and image is None:
                    image = content
                else:
                    self.ignored += 1
            yield from self._sample(image, caption)
        except (
            OSError,
            EOFError,
            ValueError,
            struct.error,
            zlib.error,
            lzma.LZMAError,
            tarfile.TarError,
        ) as error:
            raise _unreadable(path, error) from error

    def _sample(self, image: bytes | None, caption: bytes | None) -> Iterator[Pair]:
        if image is None and caption is None:
            return
        text = "" if caption is None else caption.decode("utf-8", errors="replace").strip()
        if image and text:
            yield Pair(image, text)
        else:
            self.ignored += 1

    def _members(self, path: Path, read: bool) -> Iterator[tuple[str, str, bytes]]:
        """(key, suffix, content) of the members that may be half of a pair."""
        with path.open("rb") as raw:
            plain = decompressed(raw)
            bounded = _Bounded(plain, path.stat().st_size)
            with tarfile.open(fileobj=cast(BufferedIOBase, bounded), mode="r:") as opened:
                while (member := opened.next()) is not None:
                    # Else every header that was read stays in memory; the list has no public name.
                    opened.members.clear()  # type: ignore[attr-defined]
                    place = PurePosixPath(member.name)
                    stem, _, suffix = place.name.partition(".")
                    suffix = suffix.lower()
                    most = MAX_CAPTION_BYTES if suffix == "txt" else MAX_IMAGE_BYTES
                    is_half = suffix == "txt" or suffix in IMAGE_SUFFIXES
                    if member.isdir():
                        continue
                    if not (is_half and member.isreg() and not member.issparse()) or not (
                        0 < member.size <= most
                    ):
                        self.ignored += 1
                        continue
                    key = str(place.with_name(stem)) if stem else member.name
                    # Without reading, one byte stands for a content that is there.
                    yield key, suffix, _content(opened, member) if read else b"."
            if bounded.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes a torn header for the end
                raise tarfile.ReadError("it ends without the mark of a tar's end: it was cut short")


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"the member {member.name[:200]!r} has no content")
    content = b"".join(iter(lambda: stream.read(CHUNK), b""))
    if len(content) != member.size:
        raise tarfile.ReadError(f"it ends within the member {member.name[:200]!r}")
    return content


class _Bounded:
    """A stream that gives no more at once than a header may take, and in all no more than a bomb.

    tarfile reads extended headers whole into memory, whatever size they claim.
    """

    AT_ONCE = 16 << 20

    def __init__(self, stream: BufferedIOBase, file_bytes: int) -> None:
        self._stream = stream
        self.last = b""
        self._most = ArchiveLimits().allowed(file_bytes, 1 << 60)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.AT_ONCE:
            raise tarfile.ReadError("it has a header of absurd size")
        self._check(self._stream.tell())
        self.last = self._stream.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        self._check(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > self._most:
            raise tarfile.ReadError(f"it unpacks to more than {self._most:,} bytes, like a bomb")


# ---------------------------------------------------------------------------------------- order


def interleaved(
    parts: Sequence[Callable[[], Iterator[Pair]]], rng: random.Random, at_once: int = INTERLEAVED
) -> Iterator[Pair]:
    """The pairs of all parts; the next comes from one of `at_once` open parts, drawn at random."""
    waiting = list(parts)
    rng.shuffle(waiting)
    opened: list[Iterator[Pair]] = []
    while waiting or opened:
        while waiting and len(opened) < at_once:
            opened.append(waiting.pop()())
        k = rng.randrange(len(opened))
        pair = next(opened[k], None)
        if pair is None:
            opened.pop(k)
        else:
            yield pair


def shuffled(
    pairs: Iterator[Pair],
    rng: random.Random,
    most: int = BUFFER_PAIRS,
    most_bytes: int = BUFFER_BYTES,
) -> Iterator[Pair]:
    """The pairs through a buffer: whenever it is full, one is drawn from it at random."""
    buffer: list[Pair] = []
    size = 0
    for pair in pairs:
        buffer.append(pair)
        size += _weight(pair)
        while len(buffer) > most or size > most_bytes:
            k = rng.randrange(len(buffer))
            buffer[k], buffer[-1] = buffer[-1], buffer[k]
            drawn = buffer.pop()
            size -= _weight(drawn)
            yield drawn
    rng.shuffle(buffer)
    yield from buffer


def _weight(pair: Pair) -> int:
    return len(pair.image) if isinstance(pair.image, bytes) else 0
