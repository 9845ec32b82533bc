"""How far the probabilities that people see were calibrated, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class LabelFreeCalibration(StrEnum):
    """What calibrates a learner while no labels of an audit set do; a user chooses it."""

    NONE = "none"
    """Nothing but the left-out labels that the learner itself may have used."""
    CONFIDENCE = "zero-shot-confidence"
    """One temperature, at which the learner is as confident on the pool as the zero-shot model."""
    RANGE = "zero-shot-range"
    """The logits of each image are scaled to the range of its zero-shot logits."""


class CalibrationSource(StrEnum):
    """What a prediction's probabilities were calibrated on; the first one that there is counts."""

    AUDIT = "audit set"
    """A temperature was fitted to labels of the audit set, which the learner never learns from."""
    HELD_OUT = "held-out rows"
    """The same for rows that a script gave a classifier in Python."""
    ZERO_SHOT_CONFIDENCE = "zero-shot confidence"
    """LabelFreeCalibration.CONFIDENCE, if the user chose it."""
    ZERO_SHOT_RANGE = "zero-shot range"
    """LabelFreeCalibration.RANGE, if the user chose it."""
    LEFT_OUT = "left-out labels"
    """The learner chose how sure it is on labels that it was not taught; as a rule a strategy chose them."""
    NONE = "none"
    """The model's own confidence: nothing was compared with labels."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the logits are divided by before they become probabilities, and where that is from."""

    source: CalibrationSource = CalibrationSource.NONE
    images: int = 0
    """Images behind it: labelled ones, or those whose zero-shot confidence was matched."""
    temperature: float = 1.0
    """1 for left-out labels, which have scaled the logits already, and for the range of each image."""

    @property
    def words(self) -> str:
        """Such as `calibrated on 50 audit images`."""
        match self.source:
            case CalibrationSource.AUDIT:
                return f"calibrated on {_counted(self.images, 'audit image')}"
            case CalibrationSource.HELD_OUT:
                return f"calibrated on {_counted(self.images, 'held-out row')}"
            case CalibrationSource.LEFT_OUT:
                return f"calibrated on {_counted(self.images, 'left-out label')}"
            case CalibrationSource.ZERO_SHOT_CONFIDENCE:
                return (
                    "scaled to the mean confidence of the zero-shot model, not compared with labels"
                )
            case CalibrationSource.ZERO_SHOT_RANGE:
                return "scaled to the range of the zero-shot model, not compared with labels"
            case CalibrationSource.NONE:
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
