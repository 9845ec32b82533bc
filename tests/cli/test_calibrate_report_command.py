"""`calibrate report`: the cost is shown and agreed to, and the report is written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.errors import TimeLimitTooSmall, UnknownCollection
from tests.calibration_study.study_project import AUDIT, labelled_project

FEW = ("--views", "2", "--template", "a {}.", "--template", "the {}.", "--prompt", "single")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled_project(tmp_path_factory.mktemp("calibrated"))


def report(folder: Path, *arguments: Any, ok: bool = True, says: str = "") -> Result:
    words = ["calibrate", "report", *map(str, arguments), "--project", str(folder)]
    done = CliRunner().invoke(app, [*words, "--device", "cpu"], input=says)
    if ok:
        assert done.exit_code == 0, done.output
    return done


def test_the_cost_is_shown_and_agreed_to(folder: Path, tmp_path: Path) -> None:
    refused = report(folder, tmp_path / "out", *FEW, "--prompt", "tpt", ok=False, says="n\n")
    assert refused.exit_code == 1
    assert not list(tmp_path.iterdir())
    assert f"{AUDIT} of {AUDIT} labelled ones" in refused.output
    assert "Start?" in refused.output
    done = report(folder, tmp_path / "out", *FEW, "--prompt", "tpt", says="y\n")
    assert "probit + temperature" in done.output
    assert "tpt" in done.output
    assert (tmp_path / "out" / "calibration.html").exists()


def test_json_holds_rows_cost_and_files(folder: Path, tmp_path: Path) -> None:
    found = json.loads(report(folder, tmp_path, *FEW, "--yes", "--json").stdout)
    assert [row["calibration"] for row in found["rows"]][:2] == ["plain", "temperature"]
    assert {row["prompts"] for row in found["rows"]} == {"single prompt"}
    assert found["cost"]["images"] == AUDIT
    assert Path(found["files"]["page"]).exists()


def test_a_dry_run_or_a_small_limit_writes_nothing(folder: Path, tmp_path: Path) -> None:
    assert "This was a dry run" in report(folder, tmp_path / "o", *FEW, "--dry-run").output
    limited = ("--prompt", "tpt", "--most-seconds", 0)
    done = report(folder, tmp_path / "o", *FEW, *limited, ok=False)
    assert isinstance(done.exception, TimeLimitTooSmall)
    assert "--without" in str(done.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--data", "sample", "--images", "x"), "not both"),
        (("--test", "x"), "belongs to --images"),
        (("--encoder", "bundled"), "belongs to --images"),
        (("--prompt", "tpa"), "'tpa' is none of"),
        (("--without", "tpa"), "'tpa' is none of"),
        (("--prompt", "tpt", "--without", "tpt"), "No kind of prompts is left"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    folder: Path, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    done = report(folder, tmp_path / "o", *words, ok=False)
    assert done.exit_code == 2
    assert complaint in " ".join(done.output.replace("│", " ").split())


def test_an_unknown_collection_is_named(folder: Path, tmp_path: Path) -> None:
    done = report(folder, tmp_path / "o", "--data", "digit", ok=False)
    assert isinstance(done.exception, UnknownCollection)
