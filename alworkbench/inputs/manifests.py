"""CSV manifests: the files of a data set, with the class, split and hash of each.

    path,label,split,sha256
    images/0001.jpg,heron,pool,

`path` is required and relative to the manifest's folder. The other columns are optional, and their
cells may be empty. Further columns are ignored.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alworkbench.core.domain.class_list import MOST_CHARACTERS
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.names import fault_of_name, shown, tidy_name

MAX_BYTES = 1 << 30
MAX_ROWS = 2_000_000
MAX_FIELD = 4096
MAX_COLUMNS = 256


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A line of a manifest."""

    path: str
    """Relative, forward slashes, no `..`."""
    label: str | None
    split: str | None
    hash: str | None
    """The SHA-256 that the file must have."""
    refusal: str | None = None
    """Why this one file is set aside; the path then is only good to be printed."""


def count_rows(manifest: Path) -> int:
    """Number of files that the manifest lists. Reads all of it. Raises UnreadableSource."""
    seen: set[str] = set()
    for row in read_manifest(manifest):
        if row.path in seen:
            raise _refused(manifest, f"it lists {row.path!r} twice", "Remove one of the two rows.")
        seen.add(row.path)
    return len(seen)


def read_manifest(manifest: Path) -> Iterator[ManifestRow]:
    """The rows in order; one with a name that cannot be used has a `refusal`.

    Raises UnreadableSource, with the line number, for a row that is not as its first line says, or that
    names a file outside of the manifest's folder.
    """
    try:
        if (size := manifest.stat().st_size) > MAX_BYTES:
            raise _refused(manifest, f"it has {size:,} bytes, over {MAX_BYTES:,}", "Split it.")
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            header = next(lines, [])
            _check_header(manifest, header)
            for count, fields in enumerate(lines, 1):
                if fields:
                    yield _row(manifest, lines.line_num, count, header, fields)
    except csv.Error as error:
        raise _refused(manifest, f"line {lines.line_num}: {error}", "Correct that line.") from error
    except OSError as error:
        raise _refused(manifest, error.strerror or str(error), "") from error


def _check_header(manifest: Path, header: list[str]) -> None:
    if "path" not in header or len(set(header)) < len(header) or len(header) > MAX_COLUMNS:
        raise _refused(
            manifest,
            f"its first line names the columns {header[:10]}",
            "The column `path` is required; `label`, `split` and `sha256` are optional; no name may "
            "repeat. If the file is not a manifest, rename it and import the folder.",
        )


def _row(
    manifest: Path, line: int, count: int, header: list[str], fields: list[str]
) -> ManifestRow:
    if count > MAX_ROWS:
        raise _refused(manifest, f"it has more than {MAX_ROWS:,} rows", "Split it.")
    fault = None
    if len(fields) != len(header):
        fault = f"{len(fields)} fields were found, and the first line has {len(header)}"
    elif (longest := max(map(len, fields))) > MAX_FIELD:
        fault = f"a field has {longest:,} characters, over {MAX_FIELD:,}"
    named = dict(zip(header, fields, strict=False))
    written = named.get("path", "")
    path = PurePosixPath(written)
    label, split = (tidy_name(named.get(name, "")) or None for name in ("label", "split"))
    digest = (named.get("sha256") or "").lower() or None
    if fault is not None:
        pass
    elif not written.strip():
        fault = "the path is empty"
    elif path.is_absolute() or ".." in path.parts:
        fault = f"the path {written!r} leaves the manifest's folder"
    elif digest is not None and re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        fault = f"{digest[:80]!r} is no SHA-256 of 64 hexadecimal digits"
    if fault is not None:
        raise _refused(manifest, f"line {line}: {fault}", "Correct that line.")
    for column, name in (("path", path.as_posix()), ("label", label), ("split", split)):
        unfit = None if name is None else _unfit(column, name)
        if unfit is not None:
            refusal = f"line {line} of {manifest.name}: its {column} {unfit}"
            return ManifestRow(shown(path.as_posix()), None, split, digest, refusal)
    return ManifestRow(path.as_posix(), label, split, digest)


def _unfit(column: str, name: str) -> str | None:
    """Why this name sets its file aside, in words that follow the column; None for one that can be used."""
    if column != "path" and len(name) > MOST_CHARACTERS:
        return f"has {len(name):,} characters, over {MOST_CHARACTERS}"
    return fault_of_name(name)


def _refused(manifest: Path, reason: str, remedy: str) -> UnreadableSource:
    advice = f" {remedy}" if remedy else ""
    return UnreadableSource(
        f"The manifest {manifest} cannot be used: {reason}.{advice} Nothing was imported."
    )
