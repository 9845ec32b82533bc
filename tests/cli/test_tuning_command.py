"""`prompts tune`: the cost is shown and agreed to before anything is written."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.core.errors import InvalidAnswerFile, TimeLimitTooSmall
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import picture

NAMES = ("dress", "coat", "bag")
FEW = ("--views", "3")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clothes")
    for k in range(4):
        picture(root / "pool" / f"{k}.png", k)
    picture(root / "audit" / "9.png", 9)
    return root


@pytest.fixture(scope="module")
def folder(pool: Path) -> Path:
    """A small project of the bundled model."""
    place = pool / "project"
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    store = create_store(
        place, ProjectSettings("clothes"), classes, datetime(2026, 1, 1, tzinfo=UTC)
    )
    with Workbench(ProjectFolder(place), store) as workbench:
        workbench.images.add(pool / "pool")
        workbench.images.add(pool / "audit", role=Role.AUDIT)
        workbench.features.encode(workers=0)
    return place


def tune(folder: Path, *arguments: Any, ok: bool = True, says: str = "") -> Result:
    words = ["prompts", "tune", *map(str, arguments), "--project", str(folder), "--device", "cpu"]
    done = CliRunner().invoke(app, words, input=says)
    if ok:
        assert done.exit_code == 0, done.output
    return done


def answered(file: Path) -> int:
    with file.open(encoding="utf-8", newline="") as stream:
        return len(list(csv.DictReader(stream)))


def test_the_cost_is_shown_and_agreed_to(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    refused = tune(folder, file, *FEW, ok=False, says="n\n")
    assert refused.exit_code == 1
    assert not file.exists()
    for words in ("4 to answer; 0 are answered", "12 to encode", "seconds an image", "MiB"):
        assert words in refused.output
    assert "Start?" in refused.output
    done = tune(folder, file, *FEW, says="y\n")
    assert "Answered 4 images; 0 had an answer before" in done.output
    assert answered(file) == 4
    again = tune(folder, file, *FEW)  # nothing is left, so nothing is asked
    assert "Answered 0 images; 4 had an answer before" in again.output


def test_nothing_is_asked_with_yes_or_a_limit(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    done = tune(folder, file, *FEW, "--most-seconds", 0, ok=False)
    assert isinstance(done.exception, TimeLimitTooSmall)
    assert done.exception.exit_code == 7
    assert not file.exists()
    tune(folder, file, *FEW, "--images", 1, "--most-seconds", 1e6)
    assert answered(file) == 1
    tune(folder, file, *FEW, "--images", 2, "--yes")
    assert answered(file) == 2


def test_a_dry_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    assert "This was a dry run" in tune(folder, file, *FEW, "--dry-run").output
    found = json.loads(tune(folder, file, *FEW, "--dry-run", "--json").stdout)
    assert found["images"] == 4
    assert found["cost"]["seconds"] > 0
    assert not list(tmp_path.iterdir())
    tune(folder, file, *FEW, "--yes")
    assert "All images are answered" in tune(folder, file, *FEW, "--dry-run").output


@pytest.mark.parametrize("objective", ["tpt", "c-tpt", "o-tpt", "a-tpt"])
def test_json_tells_what_happened(folder: Path, tmp_path: Path, objective: str) -> None:
    file = tmp_path / "answers.csv"
    words = ("--objective", objective, "--of", "audit", "--seed", 3, "--augmix", "--yes", "--json")
    found = json.loads(tune(folder, file, *FEW, *words).stdout)
    assert (found["answered"], found["known"], found["unreadable"]) == (1, 0, [])
    assert found["cost"]["images"] == 1
    cached = found["cost"]["cached_images"]
    assert found["cost"]["views"] == 3 * (1 - cached)
    assert (found["cost"]["cache_bytes"] == 0) == (cached == 1)
    settings = json.loads(Path(found["settings_file"]).read_text())
    assert settings["objective"] == objective
    assert (settings["views"]["seed"], settings["views"]["augmix"]) == (3, True)


def test_without_images_nothing_is_asked_and_no_view_is_made(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    found = json.loads(tune(folder, file, "--without-images", "--json").stdout)
    assert (found["answered"], found["cost"]) == (4, None)
    assert json.loads(Path(found["settings_file"]).read_text())["views"] is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--without-images", "--objective", "tpt"), "tpt has no penalty"),
        (("--without-images", "--views", "8", "--augmix"), "--views, --augmix would do nothing"),
        (("--without-images", "--dry-run"), "--dry-run would do nothing"),
        (("--objective", "tpt", "--weight", "3"), "tpt has no penalty"),
        (("--objective", "d-tpt"), "'d-tpt' is not one of"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    folder: Path, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    done = tune(folder, tmp_path / "answers.csv", *words, ok=False)
    assert done.exit_code == 2
    assert complaint in " ".join(done.output.replace("│", " ").split())


def test_a_file_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    tune(folder, file, *FEW, "--images", 1, "--yes")
    done = tune(folder, file, "--views", 4, "--yes", ok=False)
    assert isinstance(done.exception, InvalidAnswerFile)
    assert "views.count was 3 and is 4 now" in str(done.exception)
    assert done.exception.exit_code == 4


def test_unreadable_files_are_named(folder: Path, pool: Path, tmp_path: Path) -> None:
    place = pool / "pool" / "0.png"
    content = place.read_bytes()
    place.write_bytes(b"gone")
    try:
        done = tune(folder, tmp_path / "answers.csv", "--views", 5, "--yes")
    finally:
        place.write_bytes(content)
    assert "Answered 3 images" in done.output
    assert "Skipped 1 file" in done.output
    assert str(place) in done.output


def test_a_project_of_a_features_file_is_told_why_it_cannot(run: Any, tmp_path: Path) -> None:
    done = run("prompts", "tune", str(tmp_path / "answers.csv"), ok=False)
    assert "came from a file" in str(done.exception)
    assert done.exception.exit_code == 5
