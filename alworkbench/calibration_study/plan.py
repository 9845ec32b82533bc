"""What a comparison of calibrations computes: kinds of prompts, kinds of calibration, and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alworkbench.encoders.published_templates import imagenet_templates
from alworkbench.evaluation.image_bootstrap import RESAMPLES
from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
from alworkbench.prompts.tuning.views import DEFAULT_VIEWS, ViewSettings

MOST_IMAGES = 1000
"""Labelled images that are compared if no number is given: with the bundled model TPT then takes minutes."""


class PromptKind(StrEnum):
    """Which words describe the classes."""

    PRESENT = "present prompts"
    """Those of the class list, as a project uses them."""
    SINGLE = "single prompt"
    """The phrase that tuning starts from, as one template."""
    ENSEMBLE = "ensemble"
    """All templates of the comparison, averaged in feature space."""
    ATFD = "ATFD-chosen prompt"
    """The template that ranks first by dispersion, chosen without labels."""
    TPT = "TPT"
    C_TPT = "C-TPT"

    @property
    def tuned(self) -> bool:
        """Whether the prompts are tuned for each image."""
        return self in (PromptKind.TPT, PromptKind.C_TPT)


class CalibrationKind(StrEnum):
    """How logits become probabilities."""

    PLAIN = "plain"
    TEMPERATURE = "temperature"
    PROBIT = "probit"
    PROBIT_TEMPERATURE = "probit + temperature"
    """First the posterior variance, then the temperature: it is fitted to the probit logits."""

    @property
    def probit(self) -> bool:
        """Whether the posterior variance is used."""
        return self in (CalibrationKind.PROBIT, CalibrationKind.PROBIT_TEMPERATURE)

    @property
    def scaled(self) -> bool:
        """Whether a temperature is fitted."""
        return self in (CalibrationKind.TEMPERATURE, CalibrationKind.PROBIT_TEMPERATURE)


SHORT_NAMES = {
    "present": PromptKind.PRESENT,
    "single": PromptKind.SINGLE,
    "ensemble": PromptKind.ENSEMBLE,
    "atfd": PromptKind.ATFD,
    "tpt": PromptKind.TPT,
    "c-tpt": PromptKind.C_TPT,
}
"""What users type -> kind."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """Everything that decides the figures besides the data."""

    templates: tuple[str, ...] = field(default_factory=imagenet_templates)
    """Averaged by the ensemble and ranked by ATFD."""
    kinds: tuple[PromptKind, ...] = tuple(PromptKind)
    most: int = MOST_IMAGES
    """Labelled images at most: a random sample fixed by the seed."""
    seed: int = 0
    """Of the sample, of the folds, of the views and of the resamples."""
    tuning: TuningSettings = DEFAULT_TUNING
    views: int = DEFAULT_VIEWS.count
    """Views of an image that prompts are tuned on."""
    resamples: int = RESAMPLES

    @property
    def single_template(self) -> str:
        """The template that TPT and C-TPT start from."""
        return f"{self.tuning.phrase} {{}}."

    @property
    def view_settings(self) -> ViewSettings:
        """How views are made: no AugMix."""
        return ViewSettings(count=self.views, seed=self.seed)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "templates": list(self.templates),
            "prompts": [each.value for each in self.kinds],
            "most": self.most,
            "seed": self.seed,
            "tuning": self.tuning.record(),
            "views": self.view_settings.record(),
            "resamples": self.resamples,
        }
