"""Unpacking an untrusted archive: all of it into one folder, or nothing.

The whole archive is refused if an entry is a link or a device, has an absolute name or one with `..`,
or unpacks to far more bytes than it takes in the archive. The entries are written to a hidden folder,
which is renamed when it is complete: an interrupted unpacking leaves nothing that a reader sees.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, cast

from alworkbench.core.atomic_files import atomic_folder
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.picture import hash_file

CHUNK = 1 << 20
UTF8_FLAG = 0x800  # of a zip entry: its name is UTF-8 (PKWARE's application note, 4.4.4)
FROM_DOS = 0  # "version made by" (4.4.2.2): the names follow the rules of DOS and Windows
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may unpack to. Pictures are compressed already: even a bitmap of one colour
    rarely has a ratio above 100, and archive bombs have far more."""

    entries: int = 2_000_000
    bytes: int = 1 << 40
    ratio: float = 100.0
    bytes_always: int = 100 << 20
    """The ratio is not checked below this size, which can do no harm."""

    def allowed(self, archive_bytes: int, free_bytes: int) -> int:
        """How many bytes may be written."""
        by_ratio = max(self.bytes_always, int(archive_bytes * self.ratio))
        return min(self.bytes, by_ratio, free_bytes)


def is_archive(path: Path) -> bool:
    """Whether the file is a zip or tar archive, by its content or its name."""
    if zipfile.is_zipfile(path):
        return True
    name = path.name.lower()
    if name.endswith(ARCHIVE_SUFFIXES):
        return True  # the name decides: unpacking finds and reports what is wrong with the content
    try:
        with path.open("rb") as raw, decompressed(raw) as stream:
            head = stream.read(512)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return False
    return head[257:262] == b"ustar"


def unpack(
    archive: Path,
    into: Path,
    *,
    limits: ArchiveLimits | None = None,
    progress: Progress = silent,
) -> Path:
    """Unpack the archive into a folder below `into`; return that folder.

    The folder's name is the archive's name and the start of its hash, so the same archive is unpacked
    only once. Raises UnreadableSource for a damaged or hostile archive, and then leaves nothing.
    """
    limits = limits or ArchiveLimits()
    try:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", archive.name.split(".")[0]).strip("-")[:60]
        name = f"{stem or 'archive'}-{hash_file(archive)[:12]}"
        target = into / name
        if target.is_dir():
            return target
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(archive, error.strerror or str(error)) from error
    try:
        if archive.stat().st_size == 0:
            raise UnreadableSource(
                f"{archive} has 0 bytes: it was not copied or sent whole. Copy or send it again."
            )
        allowed = limits.allowed(archive.stat().st_size, shutil.disk_usage(into).free)
        entries = _zip_entries if zipfile.is_zipfile(archive) else _tar_entries
        with atomic_folder(target) as draft:
            _write(archive, entries(archive, limits, allowed, progress), draft, allowed)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,  # an encrypted zip; a compression that zipfile does not know
        struct.error,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
    ) as error:
        raise _refused(archive, str(error) or type(error).__name__) from error
    except tarfile.TarError as error:  # what is no zip archive is read as a tar archive
        why = f"it is damaged, or no zip or tar archive ({str(error) or type(error).__name__})"
        raise _refused(archive, why) from error
    return target


Entry = tuple[PurePosixPath, BufferedIOBase]


def _write(archive: Path, entries: Iterator[Entry], folder: Path, allowed: int) -> None:
    """Write the entries into the folder and count the bytes that are really written."""
    written = 0
    for name, stream in entries:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:  # a repeated name is refused
            while chunk := stream.read(CHUNK):
                written += len(chunk)
                if written > allowed:
                    raise _too_large(archive, allowed)
                target.write(chunk)


def _zip_entries(
    archive: Path, limits: ArchiveLimits, allowed: int, progress: Progress
) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        if len(infos) > limits.entries:
            raise _refused(archive, f"it holds {len(infos):,} entries, over {limits.entries:,}")
        total = sum(info.file_size for info in infos)
        if total > allowed:
            raise _too_large(archive, allowed)
        names = {info: _checked(archive, _zip_name(info)) for info in infos}
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, f"the entry {info.filename!r} is a link or a device")
        done = 0
        for info in infos:
            if not info.is_dir():
                with opened.open(info) as stream:
                    yield names[info], cast(BufferedIOBase, stream)
            done += info.file_size
            progress("unpacking (bytes)", done, total)


def _tar_entries(
    archive: Path, limits: ArchiveLimits, allowed: int, progress: Progress
) -> Iterator[Entry]:
    size = archive.stat().st_size
    with archive.open("rb") as raw, decompressed(raw) as plain:
        # Headers beyond the files' own bytes: 512 a block, rarely more than three blocks an entry.
        bounded = BoundedStream(plain, 2 * allowed, partial(_refused, archive))
        with tarfile.open(fileobj=cast(BufferedIOBase, bounded), mode="r:") as opened:
            count = 0
            while (member := opened.next()) is not None:
                count += 1
                if count > limits.entries:
                    raise _refused(archive, f"it holds more than {limits.entries:,} entries")
                name = _checked(archive, member.name)
                if member.isfile() and not member.issparse():
                    stream = opened.extractfile(member)
                    if stream is not None:
                        yield name, cast(BufferedIOBase, stream)
                elif not member.isdir():
                    raise _refused(archive, f"the entry {member.name!r} is not a regular file")
                # Otherwise every header stays in memory; this list has no public name.
                opened.members.clear()  # type: ignore[attr-defined]
                progress("unpacking (bytes)", min(raw.tell(), size), size)


def decompressed(raw: BufferedIOBase) -> BufferedIOBase:
    """The stream without its compression; its first bytes say which compression that is."""
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if head.startswith(b"BZh"):
        return bz2.BZ2File(raw, "rb")
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(cast(IO[bytes], raw), "rb")
    return raw


class BoundedStream:
    """A stream with a limit on the bytes of one read and on its position.

    tarfile reads an extended header whole into memory, whatever size the header claims.
    """

    AT_ONCE = 16 << 20

    def __init__(
        self, stream: BufferedIOBase, most: int, refused: Callable[[str], Exception]
    ) -> None:
        self._stream, self._most, self._refused = stream, most, refused
        self.last = b""
        """The bytes of the last read."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises what `refused` makes of the reason."""
        if not 0 <= size <= self.AT_ONCE:
            raise self._refused("the size of a header is not plausible")
        self.last = self._stream.read(size)
        self._check(self._stream.tell())
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move within the limit. Raises what `refused` makes of the reason."""
        self._check(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The position in bytes."""
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > self._most:
            raise self._refused(f"it unpacks to more than {self._most:,} bytes, which is the limit")


def _checked(archive: Path, name: str) -> PurePosixPath:
    """The path of the entry, which stays inside the folder.

    A name that cannot be used is unpacked as it is: whoever reads the folder sets that one file aside.
    """
    path = PurePosixPath(name)
    reason = None
    if path.is_absolute() or re.match(r"[A-Za-z]:", name):
        reason = "is absolute"
    elif ".." in re.split(r"[/\\]", name):
        reason = "climbs out with `..`"
    elif len(name) > 2000 or any(len(part.encode(errors="replace")) > 255 for part in path.parts):
        reason = "has a name that is too long"
    if reason:
        raise _refused(archive, f"the entry {name[:200]!r} {reason}")
    return path


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name of a zip entry.

    The Finder of macOS writes names in UTF-8 without the flag that says so, and zipfile then reads them as
    code page 437. A name in another encoding is hardly ever valid UTF-8 by chance.
    """
    name = info.filename
    if not name.isascii() and not info.flag_bits & UTF8_FLAG:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    # Some programs of Windows write backslashes between folders.
    return name.replace("\\", "/") if info.create_system == FROM_DOS else name


def _too_large(archive: Path, allowed: int) -> UnreadableSource:
    return _refused(
        archive,
        f"it unpacks to more than {allowed:,} bytes, which is more than its size, the limits or the "
        f"free space of the disk allow",
    )


def _refused(archive: Path, reason: str) -> UnreadableSource:
    return UnreadableSource(
        f"{archive} was not unpacked: {reason}. No file of it was kept. If you trust the archive, "
        f"unpack it yourself and import the folder: `alworkbench import FOLDER`."
    )
