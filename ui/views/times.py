"""Times as pages show them: how long ago, with the exact time for whoever points at it."""

from __future__ import annotations

import html
from datetime import datetime

_STEPS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def ago(at: datetime, now: datetime) -> str:
    """Such as `3 minutes ago`; `just now` within a minute, and for a time that is still to come."""
    seconds = (now - at).total_seconds()
    for unit, length in _STEPS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count:,} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def exact(at: datetime) -> str:
    """Such as `2026-03-01 09:00:12 UTC`."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def time_html(at: datetime | None, now: datetime) -> str:
    """How long ago as HTML, with the exact time on hover; a dash for None."""
    if at is None:
        return "–"
    shown, told = html.escape(ago(at, now)), html.escape(exact(at))
    return f'<time datetime="{at.isoformat()}" title="{told}">{shown}</time>'
