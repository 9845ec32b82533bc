"""What an encoding run says of one input. Light to import: decoding processes do."""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.domain import QuarantineCode


@dataclass(frozen=True, slots=True)
class Entry:
    """One input of an encoding run: it became a row, or it has a code that says why not."""

    hash: str
    path: str
    bytes: int | None = None
    modified_ns: int | None = None
    """The file's modification time, in nanoseconds since 1970."""
    width: int | None = None
    height: int | None = None
    code: QuarantineCode | None = None
    detail: str | None = None
