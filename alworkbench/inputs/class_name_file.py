"""Class names in a text file."""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.errors import InvalidClassList
from alworkbench.core.reasons import why_unreadable


def read_class_names(path: Path) -> list[str]:
    """Class names, one on each line; empty lines and lines that begin with # are skipped."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidClassList(
            f"{path} cannot be read as a list of classes ({why_unreadable(error)}). Give a text file in "
            f"UTF-8 with one class name per line."
        ) from error
    return class_names_of(text)


def class_names_of(text: str) -> list[str]:
    """The names in a text, one on each line; as `read_class_names`."""
    lines = text.splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
