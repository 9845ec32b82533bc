"""Errors that nobody foresaw: the full trace goes to a file, and the user is told where it is."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from alworkbench.core.atomic_files import write_atomically

EXIT_CODE = 70
"""Exit status of a command that ended with such an error (EX_SOFTWARE of sysexits.h)."""


def keep_trace(error: BaseException, folder: Path | None = None) -> Path | None:
    """Write the trace of an error to a file in `folder/logs`, and return its path.

    The same trace again replaces its file, so that a repeated error does not fill the disk. Without a
    folder, or where it cannot be written, the file goes to the folder for temporary files. Returns None
    where nothing can be written. Never raises an Exception.
    """
    trace = "".join(traceback.format_exception(error))
    digest = hashlib.sha256(trace.encode(errors="replace")).hexdigest()
    name = f"error-{type(error).__name__}-{digest[:12]}.txt"
    text = without_passwords(
        "\n".join(
            [
                f"{datetime.now(UTC).isoformat()}, Python {platform.python_version()}, {platform.platform()}",
                f"{sys.argv!r}",
                "",
                trace,
            ]
        )
    )
    places = [Path(tempfile.gettempdir()) / "alworkbench-logs"]
    if folder is not None:
        places.insert(0, folder / "logs")
    for place in places:
        try:
            place.mkdir(exist_ok=True)
            write_atomically(place / name, text.encode(errors="replace"))
        except OSError:
            continue
        return place / name
    return None


def without_passwords(text: str) -> str:
    """The text with `***` for the password of each URL in it."""
    return re.sub(r"(://[^:/@\s'\"]*:)[^\s'\"]+@", r"\1***@", text)


def what_to_do(trace: Path | None, again: str) -> str:
    """Two sentences for the user: try `again`, and where the trace is."""
    kept = (
        "The full trace could not be written to a file."
        if trace is None
        else f"The full trace is in {trace}."
    )
    return f"{again}; if it fails again, please report it with the trace. {kept}"
