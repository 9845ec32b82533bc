"""One project and one comparison for all tests of this folder: nothing changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.calibration_study.result import StudyResult
from tests.calibration_study.study_project import compared, labelled_project, material_of


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled_project(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def material(study_folder: Path) -> StudyMaterial:
    return material_of(study_folder)


@pytest.fixture(scope="session")
def result(material: StudyMaterial) -> StudyResult:
    return compared(material)
