"""What decides the tuned answer for an image, besides the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alworkbench.prompts.tuning.objectives import Objective
from alworkbench.prompts.tuning.tuning_settings import TuningSettings
from alworkbench.prompts.tuning.views import ViewSettings

FOR_IMAGES = ("weight", "confident_share")
"""Settings of tuning that do nothing without images."""


@dataclass(frozen=True, slots=True)
class TuningRecipe:
    """Answers of the same recipe can be compared and can stand in one file."""

    encoder_id: str
    class_names: tuple[str, ...]
    objective: Objective
    tuning: TuningSettings
    views: ViewSettings | None
    """None: one step on the penalty alone, the same for every image."""

    def __post_init__(self) -> None:
        """Raises ValueError for tuning without images on an objective without a penalty."""
        if self.views is None and self.objective.penalty is None:
            raise ValueError(f"the objective {self.objective.name!r} has no penalty")

    def record(self) -> dict[str, Any]:
        """As it is stored: JSON values. A setting that does nothing is None."""
        tuning = self.tuning.record() | {"weight": self.objective.weight_or(self.tuning.weight)}
        if self.objective.penalty is None:
            tuning["weight"] = None
        if self.views is None:
            tuning |= dict.fromkeys(FOR_IMAGES)
        return {
            "encoder": self.encoder_id,
            "classes": list(self.class_names),
            "objective": self.objective.name,
            "tuning": tuning,
            "views": None if self.views is None else self.views.record(),
        }
