"""How far the probabilities that people see were calibrated, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CalibrationSource(StrEnum):
    """What a prediction's probabilities were calibrated on; the first one that there is counts."""

    AUDIT = "audit set"
    """A temperature was fitted to labels of the audit set, which the learner never learns from."""
    LEFT_OUT = "left-out labels"
    """The learner chose how sure it is on labels that it was not taught; as a rule a strategy chose them."""
    NONE = "none"
    """The model's own confidence: nothing was compared with labels."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the logits are divided by before they become probabilities, and where that is from."""

    source: CalibrationSource = CalibrationSource.NONE
    images: int = 0
    """Labelled images behind it."""
    temperature: float = 1.0
    """1 unless the source is the audit set: left-out labels have scaled the logits already."""

    @property
    def words(self) -> str:
        """Such as `calibrated on 50 audit images`."""
        if self.source is CalibrationSource.AUDIT:
            return f"calibrated on {_counted(self.images, 'audit image')}"
        if self.source is CalibrationSource.LEFT_OUT:
            return f"calibrated on {_counted(self.images, 'left-out label')}"
        return "not calibrated"

    def as_record(self) -> dict[str, Any]:
        """As the settings of a round keep it."""
        return {
            "source": self.source.value,
            "images": self.images,
            "temperature": self.temperature,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Calibration:
        """From `as_record`. A round that was opened before this was recorded has None: not calibrated."""
        if record is None:
            return cls()
        return cls(
            CalibrationSource(record["source"]),
            int(record["images"]),
            float(record["temperature"]),
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
