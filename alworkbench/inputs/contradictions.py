"""Different labels for one image in one source: found and named, so that no row decides by its place."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """What one place of a source says about one image."""

    image: Hashable
    """What identifies the image: its id or its content hash."""
    label: str
    """As a person reads it, such as `heron`."""
    place: str
    """Where it stands, such as `line 3` or a path."""


def contradictions(said: Iterable[Said]) -> list[str]:
    """For each image with different labels, the labels with their first places.

    One image reads like `'heron' (line 3), 'coot' (line 8)`.
    Images are in the order of their first place. The same label twice is no contradiction.
    """
    places: dict[Hashable, dict[str, str]] = {}
    for each in said:
        places.setdefault(each.image, {}).setdefault(each.label, each.place)
    return [
        ", ".join(f"{label!r} ({place})" for label, place in labels.items())
        for labels in places.values()
        if len(labels) > 1
    ]
