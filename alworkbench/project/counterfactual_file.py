"""Simpler strategies replayed on the collected labels: the values, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import InvalidResult
from alworkbench.core.reasons import why_unreadable

FORMAT = 2
"""Format 1 had the lowest and highest accuracy of the seeds as `low` and `high`: it reads as stale."""
VALIDITY = (
    "Each strategy chose among the labelled images, which the project's own strategy had chosen from the "
    "pool. Accuracy is measured on the audit set. The curves end at half of the labels, because beyond it "
    "all strategies choose nearly the same images. They say how your labels could have been ordered, and "
    "not what another strategy would have found in the pool."
)
"""Stands beside every such figure, in words and on screens."""


@dataclass(frozen=True, slots=True)
class CounterfactualPoint:
    """Accuracy of a strategy at a number of labels."""

    strategy: str
    labels: int
    accuracy: float
    """On the audit set, mean over seeds."""
    low: float
    high: float
    """Ends of the 95 % t-interval over seeds. Both are the mean where it cannot be given."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How many of the collected labels a strategy asks to be as good as the project was."""

    strategy: str
    accuracy: float
    own: int
    """Labels with which the project was first that good."""
    labels: int | None
    """None: not within half of the labels."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """How simpler strategies would have ordered the collected labels, and how accurate they would be."""

    points: tuple[CounterfactualPoint, ...]
    own: tuple[tuple[int, float], ...]
    """(labels, accuracy on the audit set) of the project itself, up to half of its labels."""
    reached: tuple[Reached, ...]
    seeds: int
    batch_size: int
    labels: int
    """Labelled images of the pool that it replays among."""
    audit_images: int
    recorded: int
    """Answers that the project held when it was computed."""
    computed_at: datetime
    stale: bool = False
    """It must be computed again: answers came since, or the file has no intervals."""
    validity: str = VALIDITY


def counterfactual_path(folder: ProjectFolder) -> Path:
    """The file that a comparison is kept in."""
    return folder.path / "counterfactual.json"


def save_counterfactual(folder: ProjectFolder, found: Counterfactual) -> None:
    """Keep the comparison in the project; it replaces the one before."""
    content = {"format": FORMAT, **asdict(found), "computed_at": found.computed_at.isoformat()}
    write_atomically(counterfactual_path(folder), json.dumps(content, allow_nan=False).encode())


def newest_counterfactual(folder: ProjectFolder, recorded: int) -> Counterfactual | None:
    """The one that was computed last, or None. Raises InvalidResult for a damaged file."""
    path = counterfactual_path(folder)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidResult(path, f"it cannot be read ({why_unreadable(error)})") from error
    try:
        if content["format"] not in (1, FORMAT):
            raise ValueError(f"its format is {content['format']!r}, expected {FORMAT}")
        return _parsed(content, recorded)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidResult(path, f"{type(error).__name__}: {error}") from error


def _parsed(content: Mapping[str, Any], recorded: int) -> Counterfactual:
    has_intervals = content["format"] == FORMAT
    return Counterfactual(
        points=tuple(
            CounterfactualPoint(
                str(p["strategy"]),
                int(p["labels"]),
                float(p["accuracy"]),
                float(p["low" if has_intervals else "accuracy"]),
                float(p["high" if has_intervals else "accuracy"]),
            )
            for p in content["points"]
        ),
        own=tuple((int(labels), float(accuracy)) for labels, accuracy in content["own"]),
        reached=tuple(
            Reached(
                str(r["strategy"]),
                float(r["accuracy"]),
                int(r["own"]),
                None if r["labels"] is None else int(r["labels"]),
            )
            for r in content["reached"]
        ),
        seeds=int(content["seeds"]),
        batch_size=int(content["batch_size"]),
        labels=int(content["labels"]),
        audit_images=int(content["audit_images"]),
        recorded=int(content["recorded"]),
        computed_at=datetime.fromisoformat(content["computed_at"]),
        stale=int(content["recorded"]) != recorded or not has_intervals,
    )
