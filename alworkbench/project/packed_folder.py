"""A folder as a zip archive that is packed while it is sent: nothing is written to the disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the same content has the same bytes."""


def packed(folder: Path) -> Iterator[bytes]:
    """A folder as a zip archive without compression, in parts of about 1 MiB, with what its links lead to.

    The same content gives the same bytes. Raises OSError where a file cannot be read.
    """
    parts = _Parts()
    with zipfile.ZipFile(parts, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if not path.is_dir():  # a link that leads nowhere is an error, not an entry less
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIME)
                entry.external_attr = 0o644 << 16
                with (
                    path.open("rb") as source,
                    archive.open(entry, "w", force_zip64=True) as inside,
                ):
                    while block := source.read(1 << 20):
                        inside.write(block)
                        yield parts.taken()
    yield parts.taken()


class _Parts(io.RawIOBase):
    """Bytes that were written and not taken yet."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken
