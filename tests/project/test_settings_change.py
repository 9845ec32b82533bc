"""Settings changed after `init`: as long as stored things keep their meaning, all or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import Goal
from alworkbench.core.errors import (
    SettingFixed,
    UnknownAdaptation,
    UnknownEncoder,
    UnknownStrategy,
    WorkbenchError,
)
from alworkbench.project.settings_change import change_settings
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import Project


def run(*words: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, list(words))
    error = str(told.exception) if isinstance(told.exception, WorkbenchError) else ""
    return told.exit_code, told.output + error


def test_every_setting_can_be_changed_before_encoding(tmp_path: Path) -> None:
    place = str(tmp_path / "new")
    assert run("init", place, "-c", "a", "-c", "b")[0] == 0
    words = ["--encoder", "features:mine", "--strategy", "margin", "--adaptation", "probe"]
    words += ["--goal", "accuracy", "--batch", "7", "--seed", "3"]
    code, said = run("set", "-p", place, *words)
    assert code == 0
    assert "encoder: bundled -> features:mine" in said
    assert "batch_size: 7" in run("set", "-p", place)[1]
    assert "so already" in run("set", "-p", place, *words)[1]


def test_after_encoding_another_encoder_is_refused_and_nothing_changes(
    workbench: Workbench,
) -> None:
    before = workbench.session.settings()
    with pytest.raises(SettingFixed, match="encoder of this project stays 'features:toy'"):
        change_settings(workbench.session, encoder="bundled", batch_size=9)
    assert workbench.session.settings() == before
    change_settings(workbench.session, encoder=before.encoder, batch_size=9, seed=4)
    assert workbench.session.settings() == replace(before, batch_size=9, seed=4)


def test_after_the_first_round_the_seed_is_fixed_and_the_campaign_still_replays(
    workbench: Workbench, answers: Callable
) -> None:
    workbench.rounds.propose("random")
    with pytest.raises(SettingFixed, match="seed"):
        change_settings(workbench.session, seed=5)
    change_settings(
        workbench.session, strategy="margin", adaptation="probe", goal=Goal.ACCURACY, batch_size=3
    )
    answers(workbench, 5)
    workbench.rounds.close()
    assert workbench.rounds.propose().strategy == "margin"
    answers(workbench, 3)
    workbench.rounds.close()
    assert replay(workbench, memory_store).difference is None


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"strategy": "epik"}, UnknownStrategy),
        ({"adaptation": "prob"}, UnknownAdaptation),
        ({"encoder": "ViT-B-32"}, UnknownEncoder),
        ({"batch_size": 0}, ValueError),
        ({"seed": -1}, ValueError),
    ],
)
def test_values_that_cannot_be_are_refused_and_nothing_changes(
    project: Project, workbench: Workbench, wanted: dict, error: type[Exception]
) -> None:
    before = workbench.session.settings()
    with pytest.raises(error):
        change_settings(workbench.session, **{"goal": Goal.ACCURACY, **wanted})
    assert workbench.session.settings() == before
