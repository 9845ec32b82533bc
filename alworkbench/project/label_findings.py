"""What is wrong with the labels of a source: all of it is found first, and then refused or shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alworkbench.core.errors import (
    SHOWN,
    ContradictingLabels,
    DifferentRoles,
    HistoriesDiffer,
    InvalidLabelFile,
    UnknownClass,
)

OTHER = "other reasons"
"""A kind of problem whose examples are whole sentences."""
MOST_NAMED = 10
"""Of each kind, so many are named in the report of a dry run."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of fault of a source."""

    what: str
    """Such as `unknown images`."""
    count: int
    named: tuple[str, ...]
    """The first ones, with the place where they stand."""


@dataclass(slots=True)
class Findings:
    """The faults of a source, each with its place; a list is empty where there is none of its kind."""

    source: Path
    unknown_images: list[str] = field(default_factory=list)
    unknown_classes: dict[str, str] = field(default_factory=dict)
    """Name -> the first place that names it."""
    contradictions: list[str] = field(default_factory=list)
    contradicting_roles: list[str] = field(default_factory=list)
    different_roles: list[str] = field(default_factory=list)
    histories: list[str] = field(default_factory=list)
    """Events that cannot be recorded, each with the reason."""
    others: list[str] = field(default_factory=list)
    """Whole sentences."""

    def problems(self) -> tuple[Problem, ...]:
        """All kinds that occur."""
        kinds: dict[str, Sequence[str]] = {
            "unknown images": self.unknown_images,
            "unknown classes": [f"{name} ({at})" for name, at in self.unknown_classes.items()],
            "images with different labels": self.contradictions,
            "images with different roles in the file": self.contradicting_roles,
            "images with another role in the project": self.different_roles,
            "events that do not continue the history of the project": self.histories,
            OTHER: self.others,
        }
        return tuple(
            Problem(what, len(found), tuple(found[:MOST_NAMED]))
            for what, found in kinds.items()
            if found
        )

    def refuse(self, classes: Iterable[str]) -> None:
        """Raises the error of the first kind that occurs; nothing may have been stored before.

        InvalidLabelFile for unknown images, UnknownClass, ContradictingLabels, DifferentRoles,
        HistoriesDiffer. `classes` are those of the project.
        """
        if self.unknown_images:
            some = listed(self.unknown_images)
            raise InvalidLabelFile(
                f"{self.source} names images that are not in this project, or that several images of it "
                f"could be: {some}. Import them first (`alworkbench import`), or name them by their path or "
                f"content hash. Nothing was recorded."
            )
        for name, where in self.unknown_classes.items():
            raise UnknownClass(name, classes, f"{self.source}, {where},")
        if self.contradictions:
            raise ContradictingLabels(self.source, self.contradictions)
        if self.contradicting_roles:
            raise ContradictingLabels(self.source, self.contradicting_roles, "roles")
        if self.different_roles:
            raise DifferentRoles(self.source, self.different_roles)
        if self.histories:
            raise HistoriesDiffer(self.source, self.histories)


def listed(found: Sequence[str]) -> str:
    """The first ones, separated by semicolons, and how many more there are."""
    more = len(found) - SHOWN
    return "; ".join(found[:SHOWN]) + (f"; and {more:,} more" if more > 0 else "")
