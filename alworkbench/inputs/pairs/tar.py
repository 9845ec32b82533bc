"""Image-caption pairs from webdataset tars, read from beginning to end."""

from __future__ import annotations

import lzma
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import cast

from alworkbench.inputs.archives import ArchiveLimits, BoundedStream, decompressed
from alworkbench.inputs.pairs.shuffle import interleaved, shuffled
from alworkbench.inputs.pairs.source import MAX_CAPTION_BYTES, MAX_IMAGE_BYTES, Pair, unreadable

CHUNK = 1 << 20
IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})


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
        """Neighbouring members with the same key are one sample, as webdataset writes them."""
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
            raise unreadable(path, error) from error

    def _sample(self, image: bytes | None, caption: bytes | None) -> Iterator[Pair]:
        if image is None and caption is None:
            return
        text = "" if caption is None else caption.decode("utf-8", errors="replace").strip()
        if image and text:
            yield Pair(image, text)
        else:
            self.ignored += 1

    def _members(self, path: Path, read: bool) -> Iterator[tuple[str, str, bytes]]:
        """(key, suffix, content) of each member that can be the picture or the caption of a pair."""
        with path.open("rb") as raw:
            plain = decompressed(raw)
            most = ArchiveLimits().allowed(path.stat().st_size, 1 << 60)
            bounded = BoundedStream(plain, most, tarfile.ReadError)
            with tarfile.open(fileobj=cast(BufferedIOBase, bounded), mode="r:") as opened:
                while (member := opened.next()) is not None:
                    # Else every header that was read stays in memory; the list has no public name.
                    opened.members.clear()  # type: ignore[attr-defined]
                    place = PurePosixPath(member.name)
                    stem, _, suffix = place.name.partition(".")
                    suffix = suffix.lower()
                    largest = MAX_CAPTION_BYTES if suffix == "txt" else MAX_IMAGE_BYTES
                    is_half = suffix == "txt" or suffix in IMAGE_SUFFIXES
                    if member.isdir():
                        continue
                    if not (is_half and member.isreg() and not member.issparse()) or not (
                        0 < member.size <= largest
                    ):
                        self.ignored += 1
                        continue
                    key = str(place.with_name(stem)) if stem else member.name
                    # Without reading, one byte stands for a content that is there.
                    yield key, suffix, _content(opened, member) if read else b"."
            if bounded.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes a torn header for the end
                raise tarfile.ReadError(
                    "the end mark of a tar file is missing: the file is cut short"
                )


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"the member {member.name[:200]!r} has no content")
    content = b"".join(iter(lambda: stream.read(CHUNK), b""))
    if len(content) != member.size:
        raise tarfile.ReadError(f"it ends within the member {member.name[:200]!r}")
    return content
