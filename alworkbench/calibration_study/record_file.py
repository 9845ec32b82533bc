"""A temperature record as a JSON file, so that it can be applied on another day."""

from __future__ import annotations

import json
from pathlib import Path

from alworkbench.adaptation.temperature_record import TemperatureRecord
from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import UnreadableSource


def write_record(path: Path, record: TemperatureRecord) -> None:
    """Replace the file by this record. Its folder must exist."""
    text = json.dumps(record.record(), indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_record(path: Path) -> TemperatureRecord:
    """The record in a file of `write_record`. Raises UnreadableSource."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        return TemperatureRecord.from_record(found)
    except (OSError, ValueError) as error:
        raise UnreadableSource(
            f"{path} holds no temperature: {error}. Write one with `alworkbench calibrate --save FILE.json`."
        ) from error
