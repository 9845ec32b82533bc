"""Numbered files of what was computed about all images: caches in `gallery/`, which may be deleted.

    gallery/scores-000012.safetensors     predictions (`image_scores`)
    gallery/groups-000003.safetensors     nearest images and clusters (`image_groups`)

A new file never replaces the one before at once: whoever is still looking at pages of it goes on. A file that
cannot be read counts as not computed. Loads no tensors of torch.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
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
) -> int:
    """Write a new file of a kind, remove those before the last, and return its number."""
    folder.gallery.mkdir(parents=True, exist_ok=True)
    known = numbers(folder, kind)
    number = known[-1] + 1 if known else 1
    plain = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    write_atomically(
        path_of(folder, kind, number), save(plain, metadata={"facts": json.dumps(dict(facts))})
    )
    for old in [*known, number][:-KEPT]:
        path_of(folder, kind, old).unlink(missing_ok=True)
    return number


def read_facts(folder: ProjectFolder, kind: str, number: int) -> dict[str, Any] | None:
    """What was said of the columns; None for a file that is gone or cannot be read."""
    path = path_of(folder, kind, number)
    try:
        with safe_open(path, framework="np") as file:
            found = json.loads((file.metadata() or {})["facts"])
    except (OSError, SafetensorError, ValueError, KeyError) as problem:
        _log.warning("%s cannot be read and is left aside: %s", path, problem)
        return None
    return found if isinstance(found, dict) else None


def read_column(
    folder: ProjectFolder, kind: str, number: int, name: str, row: int | None = None
) -> np.ndarray | None:
    """A column, or one row of a column of rows; None where it is not there."""
    path = path_of(folder, kind, number)
    try:
        with safe_open(path, framework="np") as file:
            if name not in file.keys():  # noqa: SIM118  # it is no mapping
                return None
            found = file.get_tensor(name) if row is None else file.get_slice(name)[row]
    except (OSError, SafetensorError, ValueError) as problem:
        _log.warning("%s cannot be read and is left aside: %s", path, problem)
        return None
    return np.asarray(found)
