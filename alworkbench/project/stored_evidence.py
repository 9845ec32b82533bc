"""Evidence in files of `gallery/` (see `gallery_files`): a job computes it, and pages of any process show it.

What is stored names the marks of everything that it depends on. Where a mark is another one by now, the file
counts as not computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from alworkbench.core.domain import ClassList, ProjectFolder
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.gallery_files import GalleryFile, newest_file, write_next
from alworkbench.project.image_query import EvidenceSet

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from alworkbench.project.calibration_evidence import CalibrationEvidence

_COLUMNS = ("images", "labels", "logits", "answers")


@dataclass(frozen=True, slots=True)
class EvidenceMarks:
    """Equal marks, equal evidence."""

    images: str
    calibration: str | None = None
    """Of what else the calibration of these images depends on; None where it is not asked for."""


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """One file: a set of labelled images, and whether the probabilities hold on it."""

    source: EvidenceSet
    file: GalleryFile

    @property
    def facts(self) -> dict[str, Any]:
        """The marks, and what was found."""
        return self.file.facts

    def fits(self, marks: EvidenceMarks) -> bool:
        """Whether it has what these marks ask for."""
        same = self.facts.get("images") == marks.images
        return same and marks.calibration in (None, self.facts.get("calibration"))

    def read_images(self, classes: Callable[[int], ClassList]) -> EvidenceImages | None:
        """The images; None where the set had none. `classes` gives the version of the list with a number."""
        import torch

        if self.facts["class_list"] is None:
            return None
        images, labels, logits, answers = (self.file.column(name) for name in _COLUMNS)
        return EvidenceImages(
            self.source,
            classes(self.facts["class_list"]),
            images,
            labels,
            torch.from_numpy(logits),
            torch.from_numpy(answers),
            self.facts["learner"],
            self.facts["taught"],
        )

    def read_calibration(self) -> CalibrationEvidence | None:
        """Whether the probabilities hold; None where the set had no images."""
        found = self.facts["found"]
        return None if found is None else _calibrations().validate_python(found)


def newest_stored(folder: ProjectFolder, source: EvidenceSet) -> StoredEvidence | None:
    """The newest file of a set that can be read."""
    found = newest_file(folder, _kind(source))
    if found is None:
        return None
    stored = StoredEvidence(source, found)
    whole = stored.facts.get("class_list") is None or found.names.issuperset(_COLUMNS)
    return stored if whole else None


def store_evidence(
    folder: ProjectFolder,
    source: EvidenceSet,
    marks: EvidenceMarks,
    images: EvidenceImages | None,
    calibration: CalibrationEvidence | None,
) -> None:
    """Write what was computed at these marks."""
    columns: dict[str, np.ndarray] = {}
    if images is not None:
        columns = {name: np.asarray(getattr(images, name)) for name in _COLUMNS}
    facts = {
        "images": marks.images,
        "calibration": marks.calibration,
        "class_list": None if images is None else images.classes.id,
        "learner": None if images is None else images.learner_id,
        "taught": 0 if images is None else images.taught,
        "found": None if calibration is None else asdict(calibration),
    }
    write_next(folder, _kind(source), columns, facts)


def _kind(source: EvidenceSet) -> str:
    return f"evidence{source.value.replace('-', '')}"


@cache
def _calibrations() -> TypeAdapter[CalibrationEvidence]:
    from pydantic import TypeAdapter

    from alworkbench.project.calibration_evidence import CalibrationEvidence

    return TypeAdapter(CalibrationEvidence)
