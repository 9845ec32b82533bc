"""Progress of long work: a function that is called with a description, the amount done and the total."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Progress that is shown to nobody."""
