"""Samples in a tar file of WebDataset: members that follow each other and have one name before the first dot.

A shard of another program is not trusted: members are read into memory, so each has a limit; links and
devices are refused; nothing is unpickled.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from alworkbench.inputs.archives import BoundedStream
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.decode_limits import MAX_BYTES
from alworkbench.inputs.formats import suffixes

_KEY = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")
_TEXT_BYTES = 1 << 20
_MOST_BYTES = 1 << 42
_REMEDY = "Give shards as WebDataset's TarWriter writes them, without compression."


@dataclass(slots=True)
class Sample:
    """What a sample holds, of that which labels are read from."""

    key: str
    picture: bytes | None = None
    cls: str | None = None
    document: Mapping[str, Any] | None = None


def read_samples(shard: Path) -> Iterator[Sample]:
    """The samples in their order, each in memory on its own. Raises InvalidTable, OSError."""
    current: Sample | None = None
    try:
        for name, data in _members(shard):
            named = _KEY.fullmatch(name)
            if named is None:
                continue
            if current is not None and current.key != named[1]:
                yield current
                current = None
            current = current or Sample(named[1])
            _take(current, named[2].lower(), data, name)
    except (tarfile.TarError, EOFError) as error:
        raise InvalidTable(f"{shard.name} is no whole tar file: {error}", _REMEDY) from error
    if current is not None:
        yield current


def _members(shard: Path) -> Iterator[tuple[str, bytes]]:
    def refused(reason: str) -> InvalidTable:
        return InvalidTable(f"{shard.name}: {reason}", _REMEDY)

    with shard.open("rb") as raw:
        bounded = BoundedStream(raw, _MOST_BYTES, refused)
        with tarfile.open(fileobj=cast(BufferedIOBase, bounded), mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # or every header stays in memory
                if member.isdir():
                    continue
                if not member.isfile() or member.issparse():
                    raise refused(f"{member.name[:200]!r} is no plain file")
                wanted = Path(member.name).suffix.lower()
                if wanted not in suffixes() and wanted not in (".cls", ".json"):
                    continue
                if member.size > (MAX_BYTES if wanted in suffixes() else _TEXT_BYTES):
                    raise refused(f"{member.name[:200]!r} has {member.size:,} bytes")
                stream = tar.extractfile(member)
                yield member.name, b"" if stream is None else stream.read()


def _take(sample: Sample, suffix: str, data: bytes, name: str) -> None:
    """Keep a member if it is the picture, KEY.cls or KEY.json of its sample; others are ignored."""
    if f".{suffix}" in suffixes():
        if sample.picture is not None:
            raise InvalidTable(f"{name[:200]!r} is a second picture of its sample", _REMEDY)
        sample.picture = data
        return
    try:
        if suffix == "cls":
            sample.cls = data.decode().strip()
        elif suffix == "json":
            found = json.loads(data)
            sample.document = found if isinstance(found, Mapping) else None
    except (ValueError, RecursionError) as error:
        raise InvalidTable(f"{name[:200]!r} cannot be read: {error}", _REMEDY) from error
