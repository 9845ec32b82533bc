"""The names that `alworkbench` promises: they are found, documented, and do what their page says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import alworkbench
from alworkbench.core.domain import ClassList, LabelClass, ProjectSettings
from alworkbench.core.errors import ProjectMissing
from store import create_store

PAGES = Path(__file__).parents[2] / "docs" / "api"


def test_the_interface_is_what_is_stated() -> None:
    assert set(alworkbench.__all__) == {
        "LaplaceVLMClassifier",
        "Workbench",
        "open_project",
        "query_strategy",
        "simulate",
    }
    assert set(alworkbench.__all__) <= set(dir(alworkbench))


@pytest.mark.parametrize("name", alworkbench.__all__)
def test_every_public_name_is_found_and_documented(name: str) -> None:
    assert getattr(alworkbench, name).__doc__
    assert any(f"::: alworkbench.{name}\n" in page.read_text() for page in PAGES.glob("*.md"))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = alworkbench.absent  # type: ignore[attr-defined]


def test_a_project_is_open_inside_its_block(tmp_path: Path) -> None:
    settings, classes = ProjectSettings("birds"), ClassList((LabelClass("owl"), LabelClass("jay")))
    create_store(tmp_path, settings, classes, datetime(2026, 1, 1, tzinfo=UTC)).close()
    with alworkbench.open_project(str(tmp_path)) as workbench:
        assert workbench.classes.current().names == ("owl", "jay")
    with pytest.raises(RuntimeError, match="this store was closed"):
        workbench.classes.current()


def test_a_folder_without_a_project_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ProjectMissing, match="alworkbench init"):
        alworkbench.open_project(tmp_path)
