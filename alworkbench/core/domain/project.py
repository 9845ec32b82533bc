"""A project: its settings and its folder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Goal(StrEnum):
    """What strategies work for."""

    ACCURACY = "accuracy"
    """Every image counts alike."""
    BALANCED = "balanced"
    """Every class counts alike, however rare it is in the pool."""


DEFAULT_STRATEGY = "coverage"
"""What a user gets without choosing; chosen on the data sets marked dev, see acquisition/README.md."""


DEFAULT_ADAPTATION = "free-weights"
"""How labels change the model without anyone choosing; chosen on the data sets marked dev."""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What a user decides about a project; stored with it."""

    name: str
    encoder: str = "bundled"
    strategy: str = DEFAULT_STRATEGY
    batch_size: int = 10
    seed: int = 0
    goal: Goal = Goal.BALANCED
    adaptation: str = DEFAULT_ADAPTATION
    """How labels change the model; see `adaptation.registry`."""


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """Where everything of one project lies. Copy the folder and it works elsewhere."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "project.db"

    @property
    def images(self) -> Path:
        """Pictures unpacked from archives; folders are read where they are."""
        return self.path / "images"

    @property
    def features(self) -> Path:
        """Features of images and prompts, a folder for each encoder."""
        return self.path / "features"

    @property
    def posteriors(self) -> Path:
        """Posterior files."""
        return self.path / "posteriors"

    @property
    def learners(self) -> Path:
        """Learner files."""
        return self.path / "learners"

    @property
    def thumbnails(self) -> Path:
        """Small pictures for the screens."""
        return self.path / "thumbnails"

    @property
    def simulations(self) -> Path:
        """Results of simulations on this project."""
        return self.path / "simulations"
