"""The outcome of one input of an encoding run. Light to import, because decoding processes import it."""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.domain import QuarantineCode


@dataclass(frozen=True, slots=True)
class Entry:
    """One input of an encoding run: it has a row, or a code that says why not."""

    hash: str
    path: str
    bytes: int | None = None
    modified_ns: int | None = None
    """The file's modification time, in nanoseconds since 1970."""
    width: int | None = None
    height: int | None = None
    code: QuarantineCode | None = None
    detail: str | None = None
