"""The target sets that a project keeps: files `targets/NAME.json` with the content hashes of their images.

Loads no tensors. How a set is made is in `target_sets`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import InvalidTargets

FOLDER = "targets"
FORMAT = "alworkbench-targets-1"
MEMBERS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TargetSet:
    """Different images by content hash, in an order that does not depend on their paths."""

    name: str
    hashes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.hashes)


def save_targets(folder: ProjectFolder, targets: TargetSet) -> None:
    """Keep a set under its name; the same set again changes nothing."""
    path = _path(folder, targets.name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "hashes": list(targets.hashes)}
        write_atomically(path, json.dumps(content, indent=0).encode())


def load_targets(folder: ProjectFolder, name: str) -> TargetSet:
    """The kept set of this name. Raises InvalidTargets where there is none, or its file is damaged."""
    path = _path(folder, name)
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, expected {FORMAT!r}")
        hashes = found["hashes"]
        if not hashes or not all(isinstance(h, str) and MEMBERS.fullmatch(h) for h in hashes):
            raise ValueError("its hashes are not a list of SHA-256 digests")
        if not name.endswith(digest_of(hashes)):
            raise ValueError("its content does not match its name")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidTargets(name, str(error), saved_targets(folder)) from error
    return TargetSet(name, tuple(hashes))


def saved_targets(folder: ProjectFolder) -> list[str]:
    """The names of all kept sets, sorted."""
    return sorted(path.stem for path in (folder.path / FOLDER).glob("*.json"))


def targets_of_round(folder: ProjectFolder, settings: Mapping[str, Any]) -> TargetSet | None:
    """The set that a round's settings name; None where the pool itself was the target."""
    name = settings.get("targets")
    return None if name is None else load_targets(folder, str(name))


def _path(folder: ProjectFolder, name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9-]{1,80}", name):
        raise InvalidTargets(
            name, "no target set of this project has this name", saved_targets(folder)
        )
    return folder.path / FOLDER / f"{name}.json"


def digest_of(hashes: Any) -> str:
    """12 hexadecimal digits with which the name of a set ends: they name its content."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:12]
