"""A small project with labelled audit pictures, and a comparison of calibrations on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import torch

from alworkbench.calibration_study.load_material import material_of_project
from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.calibration_study.plan import StudySettings
from alworkbench.calibration_study.result import StudyResult
from alworkbench.calibration_study.study import PreparedStudy, prepare
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import picture

NAMES = ("dress", "coat", "bag")
TEMPLATES = (
    "a photo of a {}.",
    "a drawing of a {}.",
    "a bad photo of the {}.",
    "art of the {}.",
    "{}",
)
POOL, AUDIT = 6, 36
SETTINGS = StudySettings(templates=TEMPLATES, views=4, resamples=50)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def labelled_project(root: Path, encoder: str = "bundled") -> Path:
    """Pictures of random colours, of which each class has a third of the audit set."""
    for k in range(POOL):
        picture(root / "pool" / f"{k}.png", k)
    for k in range(AUDIT):
        picture(root / "audit" / NAMES[k % len(NAMES)] / f"{k}.png", 50 + k)
    folder = root / "project"
    classes = ClassList(tuple(LabelClass(name, TEMPLATES[:2]) for name in NAMES))
    store = create_store(folder, ProjectSettings("clothes", encoder), classes, NOW)
    with Workbench(ProjectFolder(folder), store) as workbench:
        workbench.images.add(root / "pool")
        workbench.images.add(root / "audit", role=Role.AUDIT)
        workbench.features.encode(workers=0)
        if not workbench.status().has_posterior:
            workbench.posteriors.fit_from_pool()
    return folder


def material_of(folder: Path) -> StudyMaterial:
    """What a comparison takes from the project."""
    from store import open_store

    with Workbench(ProjectFolder(folder), open_store(folder)) as workbench:
        return material_of_project(workbench)


def prepared(material: StudyMaterial, settings: StudySettings = SETTINGS) -> PreparedStudy:
    """A comparison on the CPU."""
    return prepare(material, settings, torch.device("cpu"))


def compared(material: StudyMaterial, settings: StudySettings = SETTINGS) -> StudyResult:
    """The result of a comparison."""
    return prepared(material, settings).run(NOW)
