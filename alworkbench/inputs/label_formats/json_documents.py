"""JSON documents of other programs: read whole, with a limit, and every value checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.tables import LIMITS


def read_document(path: Path, what: str) -> Any:
    """The value of a JSON file in UTF-8; `what` it should be, for the error. Raises InvalidTable, OSError."""
    if (size := path.stat().st_size) > LIMITS.bytes:
        raise InvalidTable(f"it has {size:,} bytes, over {LIMITS.bytes:,}", "Split it.")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InvalidTable(
            f"it is not JSON in UTF-8: {str(error)[:200]}", f"Give {what}."
        ) from error


def _refuse(name: str) -> Any:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def objects(found: Any, place: str, remedy: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list. Raises InvalidTable for another value; `place` names the list."""
    if not isinstance(found, list):
        raise InvalidTable(f"{place} is no list", remedy)
    for number, each in enumerate(found, 1):
        if not isinstance(each, Mapping):
            raise InvalidTable(f"{place} {number} is no object", remedy)
        yield each


def text_in(found: Mapping[str, Any], name: str, place: str, remedy: str) -> str:
    """A text of an object, not empty. Raises InvalidTable."""
    value = found.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidTable(f"{place} has no text {name!r}", remedy)
    return value
