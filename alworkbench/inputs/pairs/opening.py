"""The reader that fits a file, a pattern of tars, or a folder of tars."""

from __future__ import annotations

import glob
import lzma
import zipfile
import zlib
from pathlib import Path

from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.inputs.archives import decompressed
from alworkbench.inputs.pairs.csv import CsvPairs
from alworkbench.inputs.pairs.parquet import open_parquet
from alworkbench.inputs.pairs.source import NEEDED, PairSource, unreadable
from alworkbench.inputs.pairs.tar import TarPairs

TAR_PATTERNS = ("*.tar", "*.tar.gz", "*.tgz", "*.tar.bz2", "*.tar.xz")


def open_pairs(location: Path) -> PairSource:
    """The reader for a file, a pattern of tars, or a folder of tars. The content decides, not the name.

    Raises UnreadableSource for another kind of file, NothingToImport if there is no file.
    """
    files = _files(location)
    try:
        heads = [_kind(path) for path in files]
    except OSError as error:
        raise unreadable(location, error) from error
    if all(head == "tar" for head in heads):
        return TarPairs(str(location.name), files)
    if len(files) > 1:
        odd = next(path for path, head in zip(files, heads, strict=True) if head != "tar")
        raise UnreadableSource(
            f"{location} matches {len(files)} files, but {odd.name} is not a tar file. "
            f"Several files must all be tar files; give a CSV or Parquet file alone."
        )
    if heads[0] == "parquet":
        return open_parquet(files[0])
    return CsvPairs(files[0])


def _files(location: Path) -> list[Path]:
    if location.is_dir():
        files = sorted({path for pattern in TAR_PATTERNS for path in location.glob(pattern)})
        if not files:
            raise NothingToImport(f"The folder {location} holds no tar file. {NEEDED}")
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
