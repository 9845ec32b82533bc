"""Simulations that were begun and are not finished: what they compare, and how far each arm is.

The file `begun.json` is written before the first run. A finished simulation has a `result.json` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import Arm
from alworkbench.core.errors import InvalidResult
from alworkbench.core.reasons import why_unreadable
from alworkbench.simulation.config import SAMPLE
from alworkbench.simulation.described_plan import described_plan, plan_described
from alworkbench.simulation.plan import Plan, Run

FILE = "begun.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """A simulation in its folder, whose finished runs are kept there."""

    folder: Path
    name: str
    key: str
    begun_at: datetime
    plan: Plan
    words: Mapping[str, Any] | None
    """The words of its configuration, with which it goes on; None if it was begun without one. They name no
    project where it is the one that keeps the simulation: see `without_own_project`."""

    @property
    def total(self) -> int:
        """All runs."""
        return len(self.plan.runs())

    def seeds_done(self) -> dict[Arm, int]:
        """How many of its seeds are finished, for each arm."""
        there = {path.name for path in (self.folder / "runs").glob("*.json")}
        found = dict.fromkeys(self.plan.arms, 0)
        for run in self.plan.runs():
            found[run.arm] += file_of_run(self.folder, run).name in there
        return found


def without_own_project(words: Mapping[str, Any]) -> dict[str, Any]:
    """Words without the place of the project where it is the one that keeps the simulation.

    A project that was copied or moved then goes on with its own labels, and not with those of the place
    where the simulation was begun. A truth that lies in the project is named from there.
    """
    source, out = words.get("project"), words.get("out")
    if source is None or (out is not None and Path(out).resolve() != Path(source).resolve()):
        return dict(words)
    left = {name: value for name, value in words.items() if name not in ("project", "out")}
    if "truth" in left:
        left["truth"] = named_inside(left["truth"], source)
    return left


def named_inside(path: str, folder: str) -> str:
    """A path from a folder where it lies inside; unchanged elsewhere, and where that would be `sample`."""
    inside = Path(path).is_relative_to(folder)
    named = str(Path(path).relative_to(folder)) if inside else path
    return path if named == SAMPLE else named


def file_of_run(folder: Path, run: Run) -> Path:
    """Where the points of a finished run are kept."""
    return folder / "runs" / f"{run.name}.json"


def save_begun(begun: Begun) -> None:
    """Keep the plan of a simulation before its first run."""
    content = {
        "name": begun.name,
        "key": begun.key,
        "begun_at": begun.begun_at.isoformat(),
        "plan": described_plan(begun.plan),
        "words": None if begun.words is None else dict(begun.words),
    }
    write_atomically(begun.folder / FILE, json.dumps(content, allow_nan=False).encode())


def load_begun(folder: Path) -> Begun:
    """Read it again. Raises InvalidResult for a damaged file."""
    path = folder / FILE
    try:
        content = json.loads(path.read_bytes())
        words = content["words"]
        return Begun(
            folder,
            str(content["name"]),
            str(content["key"]),
            datetime.fromisoformat(content["begun_at"]),
            plan_described(content["plan"], folder),
            None if words is None else without_own_project(words),
        )
    except OSError as error:
        raise InvalidResult(path, why_unreadable(error)) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidResult(path, f"{type(error).__name__}: {error}") from error
