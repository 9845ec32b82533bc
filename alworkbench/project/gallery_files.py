"""Numbered files of what was computed about all images: caches in `gallery/`, which may be deleted.

    gallery/scores-000012.safetensors     predictions (`image_scores`)
    gallery/groups-000003.safetensors     nearest images and clusters (`image_groups`)

A new file never replaces the one before at once: whoever is still looking at pages of it goes on. Whoever
reads one keeps it open, so that it is whole for this reader although it is removed meanwhile. A file that
cannot be read counts as not computed. Loads no tensors of torch.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ProjectFolder

KEPT = 2
"""Files of each kind that are kept."""
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<number>\d{6,9})\.safetensors", re.ASCII)
_log = logging.getLogger(__name__)


def numbers(folder: ProjectFolder, kind: str) -> list[int]:
    """Numbers of the files of a kind, oldest first."""
    if not folder.gallery.is_dir():
        return []
    found = (_NAME.fullmatch(path.name) for path in folder.gallery.iterdir())
    return sorted(int(each["number"]) for each in found if each and each["kind"] == kind)


def path_of(folder: ProjectFolder, kind: str, number: int) -> Path:
    """Where the file with this number lies."""
    return folder.gallery / f"{kind}-{number:06d}.safetensors"


def write_next(
    folder: ProjectFolder, kind: str, columns: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> GalleryFile:
    """Write a new file of a kind, remove those before the last, and return it."""
    folder.gallery.mkdir(parents=True, exist_ok=True)
    known = numbers(folder, kind)
    number = known[-1] + 1 if known else 1
    plain = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    path = path_of(folder, kind, number)
    write_atomically(path, save(plain, metadata={"facts": json.dumps(dict(facts))}))
    written = GalleryFile(path, number)
    for old in [*known, number][:-KEPT]:
        path_of(folder, kind, old).unlink(missing_ok=True)
    return written


class GalleryFile:
    """One file, kept open: it can be read to its end although another process removes it meanwhile."""

    def __init__(self, path: Path, number: int) -> None:
        """Raises OSError, SafetensorError, ValueError, KeyError for a file that is gone or damaged."""
        self.number = number
        self._file = safe_open(path, framework="np")
        facts = json.loads((self._file.metadata() or {})["facts"])
        if not isinstance(facts, dict):
            raise ValueError("its facts are no object")
        self.facts: dict[str, Any] = facts
        """What was said of the columns."""
        self.names = frozenset(self._file.keys())
        """The columns."""

    def column(self, name: str, row: int | None = None) -> np.ndarray:
        """A column, or one row of a column of rows."""
        file = self._file
        return np.asarray(file.get_tensor(name) if row is None else file.get_slice(name)[row])


def open_file(
    folder: ProjectFolder, kind: str, number: int, columns: Iterable[str] = ()
) -> GalleryFile | None:
    """The file with this number; None for one that is gone, cannot be read or lacks one of the columns."""
    path = path_of(folder, kind, number)
    try:
        found = GalleryFile(path, number)
    except (OSError, SafetensorError, ValueError, KeyError) as problem:
        _log.warning("%s cannot be read and is left aside: %s", path, problem)
        return None
    if lacking := set(columns) - found.names:
        _log.warning("%s is left aside: it has no %s", path, ", ".join(sorted(lacking)))
        return None
    return found


def newest_file(
    folder: ProjectFolder,
    kind: str,
    columns: Iterable[str] = (),
    fits: Callable[[dict[str, Any]], bool] = lambda _: True,
    number: int | None = None,
) -> GalleryFile | None:
    """The newest file, or the one with this number, that has the columns and whose facts fit."""
    wanted, known = tuple(columns), numbers(folder, kind)
    for each in reversed(known if number is None else [n for n in known if n == number]):
        found = open_file(folder, kind, each, wanted)
        if found is not None and fits(found.facts):
            return found
    return None
