"""Settings that are stored as JSON with what was computed under them, so that it can be computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

Settings = TypeVar("Settings", bound="RecordedSettings")


class RecordedSettings:
    """Base of frozen dataclasses whose fields are numbers or tuples of numbers."""

    __slots__ = ()

    def record(self) -> dict[str, Any]:
        """As it is stored: JSON values by the names of the fields."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()  # type: ignore[call-overload]
        }

    @classmethod
    def from_record(cls: type[Settings], record: Mapping[str, Any]) -> Settings:
        """The inverse of `record`. A field that the record lacks has its default; others are ignored."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in record.items()
            if name in known
        }
        return cls(**values)
