"""The newest replay of a project: its result, and the file that keeps it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ProjectFolder

FILE = "replay.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeptReplay:
    """How far the record of a project was computed again."""

    rounds: int
    """Rounds that gave the same batch."""
    of: int
    """Rounds that were to be computed."""
    images: int
    """Images asked in the rounds that are the same."""
    learners: int
    """Learners that learned from the same labels."""
    difference: str | None
    """The first difference in words; None: everything is identical."""
    why: tuple[str, ...]
    """Likely reasons of it."""
    image: str | None
    """Content hash in the record, where another image was asked."""
    found: str | None
    """Content hash that was asked now."""
    asked_by: str
    computed_at: datetime
    seconds: float

    @property
    def identical(self) -> bool:
        """Whether everything that was computed again is the same."""
        return self.difference is None


def save_replay(folder: ProjectFolder, found: KeptReplay) -> None:
    """Keep it in the project; it replaces the one before."""
    content = {"format": FORMAT, **asdict(found), "computed_at": found.computed_at.isoformat()}
    write_atomically(_path(folder), json.dumps(content).encode())


def newest_replay(folder: ProjectFolder) -> KeptReplay | None:
    """The one that was computed last; None without one, or where its file is damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads(_path(folder).read_bytes())
        if content.pop("format") == FORMAT:
            at = datetime.fromisoformat(content.pop("computed_at"))
            why = tuple(map(str, content.pop("why")))
            return KeptReplay(**content, why=why, computed_at=at)
    return None


def _path(folder: ProjectFolder) -> Path:
    return folder.path / FILE
