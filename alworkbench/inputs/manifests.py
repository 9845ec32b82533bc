"""CSV manifests: the files of a data set, with the class, split and hash of each.

    path,label,split,sha256
    images/0001.jpg,heron,pool,

`path` is required and relative to the manifest's folder. The other columns are optional, and their
cells may be empty. Further columns are ignored. A `ColumnMapping` names other columns, says what splits
mean, and names another folder. `csv_tables` says which tables are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.domain.class_list import MOST_CHARACTERS
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.names import fault_of_name, shown, tidy_name
from alworkbench.inputs.csv_tables import InvalidTable, TableLimits, read_table
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping

LIMITS = TableLimits(bytes=1 << 30, rows=2_000_000)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A line of a manifest."""

    line: int
    path: str
    """Relative, forward slashes, no `..`."""
    label: str | None
    split: str | None
    hash: str | None
    """The SHA-256 that the file must have."""
    refusal: str | None = None
    """Why this one file is set aside; the path then is only good to be printed."""


def count_rows(manifest: Path, mapping: ColumnMapping = OUR_OWN) -> int:
    """Number of files that the manifest lists. Reads all of it. Raises UnreadableSource."""
    seen: dict[str, int] = {}
    for row in read_manifest(manifest, mapping):
        before = seen.setdefault(row.path, row.line)
        if before != row.line:
            raise _refused(
                manifest,
                f"it lists {row.path!r} twice, in line {before} and in line {row.line}",
                "Remove one of the two rows.",
            )
    return len(seen)


def read_manifest(manifest: Path, mapping: ColumnMapping = OUR_OWN) -> Iterator[ManifestRow]:
    """The rows in order; one with a name that cannot be used has a `refusal`.

    With a `split_map`, the split of a row is the role that its value means. Raises UnreadableSource, with the
    line number, for a row that is not as its first line says, that names a file outside of the manifest's
    folder, or a split without a meaning.
    """
    try:
        # A name with a line break, or that is not UTF-8, sets one file aside, and not the manifest.
        needed = mapping.named("path")
        rows = read_table(manifest, needed, LIMITS, errors="surrogateescape", line_breaks=True)
        for row in rows:
            yield _row(manifest, row.line, mapping.renamed(row.fields, "path"), mapping)
    except InvalidTable as error:
        raise _refused(manifest, error.reason, error.remedy) from error
    except OSError as error:
        raise _refused(manifest, error.strerror or str(error), "") from error


def _row(manifest: Path, line: int, named: dict[str, str], mapping: ColumnMapping) -> ManifestRow:
    written = named["path"]
    path = mapping.below_root(written)
    label, split = (tidy_name(named.get(name, "")) or None for name in ("label", "split"))
    digest = (named.get("sha256") or "").lower() or None
    fault = None
    if not written.strip():
        fault = "the path is empty"
    elif path.is_absolute() or ".." in path.parts:
        fault = f"the path {written!r} leaves {mapping.root or 'the folder of the manifest'}"
    elif digest is not None and re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        fault = f"{digest[:80]!r} is no SHA-256 of 64 hexadecimal digits"
    elif mapping.split_map and split is not None:
        if split not in mapping.split_map:
            fault = f"the split {split[:80]!r} has no meaning in --split-map"
        else:
            split = mapping.split_map[split].value
    if fault is not None:
        raise _refused(manifest, f"line {line}: {fault}", "Correct that line.")
    for column, name in (("path", path.as_posix()), ("label", label), ("split", split)):
        unfit = None if name is None else _unfit(column, name)
        if unfit is not None:
            refusal = f"line {line} of {manifest.name}: its {column} {unfit}"
            return ManifestRow(line, shown(path.as_posix()), None, split, digest, refusal)
    return ManifestRow(line, path.as_posix(), label, split, digest)


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
