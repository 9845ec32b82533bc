"""Laws of simulations that were begun: each goes on with the data that it was begun on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from alworkbench.api import further_orders
from alworkbench.core.domain import ProjectFolder
from alworkbench.project.session import utc_now
from alworkbench.simulation.begun import Begun, load_begun, save_begun
from alworkbench.simulation.config import SimulationConfig
from alworkbench.simulation.experiment import words_for
from alworkbench.simulation.load.origin import origins_of


def begun_in(folder: Path, words: dict[str, Any]) -> Path:
    """A simulation that was begun with these words, and is kept in this folder."""
    config = SimulationConfig.of(words)
    place = folder / "abc"
    place.mkdir(parents=True)
    save_begun(
        Begun(place, "toy", "abc", utc_now(), config.plan, words_for(config, origins_of(config)[0]))
    )
    return place


def goes_on(place: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> SimulationConfig:
    """The configuration with which a simulation goes on in a project."""
    configs: list[SimulationConfig] = []
    monkeypatch.setattr(
        "alworkbench.simulation.experiment.run_experiment",
        lambda config, context: configs.append(config) or [],
    )
    session = SimpleNamespace(folder=ProjectFolder(project), device=torch.device("cpu"))
    further_orders()["simulate"](
        SimpleNamespace(session=session),  # type: ignore[arg-type]
        {"do": "simulate", "words": load_begun(place).words},
        lambda *_: None,
    )
    return configs[0]


@pytest.mark.parametrize("said", ["out", "no out", "an earlier version"])
def test_a_copied_project_goes_on_with_its_own_labels(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    out = {} if said == "no out" else {"out": str(first)}
    words = {"project": str(first), "seconds": "own", "seeds": 2, **out}
    place = begun_in(first / "simulations", words)
    if said == "an earlier version":  # named the project
        content = json.loads((place / "begun.json").read_text())
        (place / "begun.json").write_text(json.dumps({**content, "words": words}))
    shutil.copytree(first, second)
    for project in (first, second):
        config = goes_on(project / "simulations" / "abc", project, monkeypatch)
        assert (config.project, config.out) == (project, project)
        assert (config.seconds, config.seeds) == ("own", 2)


@pytest.mark.parametrize("source", ["project", "features"])
def test_data_from_elsewhere_are_named_when_it_goes_on(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    place = begun_in(project / "simulations", {source: str(other), "out": str(project)})
    config = goes_on(place, project, monkeypatch)
    assert (getattr(config, source), config.out) == (other, project)


def test_a_truth_in_the_project_is_copied_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, outside = tmp_path / "first", tmp_path / "second", tmp_path / "other.csv"
    words = {"project": str(first), "out": str(first)}
    place = begun_in(first / "simulations", {**words, "truth": str(first / "labels.csv")})
    (first / "labels.csv").touch()
    shutil.copytree(first, second)
    for project in (first, second):
        config = goes_on(project / "simulations" / "abc", project, monkeypatch)
        (origin,) = origins_of(config)
        assert (origin.truth, origin.truth_place) == ("labels.csv", str(project / "labels.csv"))
        assert origin.moved(second).truth_place == str(second / "labels.csv")
    save_begun(replace(load_begun(place), words={**words, "truth": str(outside)}))
    assert str(goes_on(place, first, monkeypatch).truth) == str(outside)
