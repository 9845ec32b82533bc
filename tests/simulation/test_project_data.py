"""A project that cannot be simulated on is refused before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alworkbench.api import simulate
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings
from alworkbench.core.errors import NothingToImport
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.load.project_data import LEAST_TRUTH, check_project
from store import create_store
from tests.making_project import NAMES, Project, closing, picture

NEEDS = f"needs at least {LEAST_TRUTH} images with features and a known class in the pool"


def test_what_a_project_lacks_is_said_and_no_job_is_begun(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    settings = ProjectSettings("new", encoder="features:toy")
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    store = create_store(folder, settings, classes, Project(folder, folder, {}).clock())
    with closing(Workbench(ProjectFolder(folder), store)) as workbench:
        for own in (True, False):  # also where the labels come from elsewhere
            with pytest.raises(NothingToImport, match=f"{NEEDS}.* has no images yet.*import"):
                check_project(workbench, own=own)
        picture(tmp_path / "photos" / "1.png", 1)
        workbench.images.add(tmp_path / "photos")
        for own in (True, False):
            with pytest.raises(NothingToImport, match=f"{NEEDS}.* has no features yet.*encode"):
                check_project(workbench, own=own)
        with pytest.raises(NothingToImport, match=NEEDS):
            simulate(project=folder, cache=tmp_path)
        assert not workbench.jobs.newest()[1:]  # the import alone
        assert not list(workbench.session.folder.simulations.glob("*"))


def test_labels_are_counted_where_the_project_gives_the_truth(
    project: Project, answers: Callable
) -> None:
    with closing(project.open()) as workbench:
        check_project(workbench, own=False)
        with pytest.raises(NothingToImport, match="has 0 in the pool and 24 in the audit set"):
            check_project(workbench, own=True)
        workbench.rounds.propose("random", LEAST_TRUTH)
        answers(workbench, LEAST_TRUTH)
        check_project(workbench, own=True)
