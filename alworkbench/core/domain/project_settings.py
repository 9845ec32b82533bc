"""A project: its settings and its folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alworkbench.core.domain.calibration import LabelFreeCalibration
from alworkbench.core.domain.opinions import LateAnswers


class Goal(StrEnum):
    """What strategies and learners optimise."""

    ACCURACY = "accuracy"
    """All images have the same weight."""
    BALANCED = "balanced"
    """All classes have the same weight, also those that are rare in the pool."""


class Consensus(StrEnum):
    """How several answers to one image become one label of the learner."""

    DECIDING = "deciding"
    """The most common class; of equally common ones that with the newest answer."""
    PROPORTIONS = "proportions"
    """Each class has the share of the answers that name it."""
    DAWID_SKENE = "dawid-skene"
    """Each class has its probability under the model of Dawid and Skene, which knows how people err."""


DEFAULT_STRATEGY = "coverage"
"""The strategy if none is named. It was chosen on the dev data sets, see docs/experiments/acquisition.md."""


DEFAULT_ADAPTATION = "pool-taught"
"""The learning method if none is named, chosen on the dev data sets (docs/experiments/adaptation.md)."""


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
    """Name of the learning method; see `adaptation.methods`."""
    label_free_calibration: LabelFreeCalibration = LabelFreeCalibration.NONE
    white_point: int | None = None
    """What is white in files of 16 bits that do not say so, 255 to 65,535. None before there was such a
    file."""
    prepare_at: float | None = None
    """Share of the answers that a round wants, at most 1, at which the server prepares the next round.

    None or 0: never."""
    overlap: int = 1
    """From how many people an answer is wanted, of `overlap_share` of the images of a round."""
    overlap_share: float = 1.0
    blind_share: float = 0.0
    """The share of the images of a round that is shown without a suggestion."""
    late_answers: LateAnswers = LateAnswers.KEEP
    consensus: Consensus = Consensus.PROPORTIONS
    target_accuracy: float | None = None
    """Accuracy on the audit set, at most 1, at which people want to stop. None or 0: nobody gave one."""


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """Where everything of one project lies. Copy the folder and it works elsewhere."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "project.db"

    @property
    def pointer(self) -> Path:
        """The file that names the database on a server, where the project has no SQLite file."""
        return self.path / "store.json"

    @property
    def holds_project(self) -> bool:
        """Whether there is a project: a database, or the name of one on a server."""
        return self.database.is_file() or self.pointer.is_file()

    @property
    def can_be_written(self) -> bool:
        """Whether files can be made in the folder, and its database changed if it has one here."""
        database = self.database
        return os.access(self.path, os.W_OK) and (
            not database.exists() or os.access(database, os.W_OK)
        )

    @property
    def images(self) -> Path:
        """Pictures unpacked from archives; folders are read where they are."""
        return self.path / "images"

    @property
    def support(self) -> Path:
        """Support sets that were chosen in the browser."""
        return self.path / "support"

    @property
    def imports(self) -> Path:
        """Reports of imports and encodings."""
        return self.path / "imports"

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
        """Renditions of images for the screens: a cache that may be deleted."""
        return self.path / "thumbnails"

    @property
    def gallery(self) -> Path:
        """What was computed about all images for the gallery: a cache that may be deleted."""
        return self.path / "gallery"

    @property
    def views(self) -> Path:
        """Features of the views of images, which prompt tuning computes: a cache that may be deleted."""
        return self.path / "views"

    @property
    def tuned(self) -> Path:
        """Answers of prompts that were tuned in the browser, a folder for each choice of settings."""
        return self.path / "tuned"

    @property
    def simulations(self) -> Path:
        """Results of simulations on this project."""
        return self.path / "simulations"
