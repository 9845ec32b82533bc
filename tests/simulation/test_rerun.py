"""A finished simulation runs again from its record, wherever its data came from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alworkbench.api import simulate
from alworkbench.cli.main import app
from alworkbench.simulation.rerun import SHORT, plan_of, usual_runs
from alworkbench.simulation.results import SimulationResult, load_result
from tests.making_project import NAMES, picture

SMALL = {
    "strategies": ["random", "margin"],
    "adaptations": "linearised",
    "baselines": "nearest-mean",
    "seeds": 2,
    "labels": 6,
    "batch": 3,
    "processes": 1,
}


@pytest.fixture(scope="module")
def simulated(
    made: tuple[Path, Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[SimulationResult, Path]:
    """On a features file, which is given too."""
    folder = tmp_path_factory.mktemp("simulated")
    path = folder / "toy.npz"
    shutil.copy(made[1], path)
    words = {**SMALL, "features": path, "out": folder / "out"}
    (result,) = simulate(**words, cache=folder, tell=lambda line: None)
    return result, path


@pytest.fixture
def finished(simulated: tuple[SimulationResult, Path], tmp_path: Path) -> SimulationResult:
    """A copy of it that may be changed."""
    folder = simulated[0].folder
    return load_result(Path(shutil.copytree(folder, tmp_path / folder.name)))


def replayed(*words: object) -> Result:
    return CliRunner().invoke(app, ["replay", "--simulation", *map(str, words)])


def tampered(result: SimulationResult, change: Any) -> Path:
    """The result with something of its file changed."""
    path = result.folder / "result.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    return result.folder


def test_it_replays_identically(finished: SimulationResult) -> None:
    assert finished.facts["source"]["kind"] == "features"
    done = replayed(finished.folder, "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["identical"], said["difference"]) == (0, True, None)
    assert (said["runs"], said["of"], said["images"]) == (6, 6, 6 * 6)
    assert said["changed"] == []
    done = replayed(finished.folder, "--runs", 1)
    assert done.exit_code == 0
    assert "1 of 6 runs" in done.stdout


def test_a_changed_list_of_images_is_named(finished: SimulationResult) -> None:
    def swap(content: Any) -> None:
        images = content["points"][5]["images"]
        images[1], images[2] = images[2], images[1]

    point = finished.points[5]
    folder = tampered(finished, swap)
    done = replayed(folder, "--runs", 2, "--json")
    found = json.loads(done.stdout)["difference"]
    assert done.exit_code == 1
    name = f"{point.arm.strategy}-{point.arm.adaptation}-3-{point.seed}"
    assert (found["run"], found["round"], found["position"]) == (name, point.round, 2)
    assert (found["image"], found["found"]) == (point.images[2], point.images[1])
    said = replayed(folder, "--runs", 2).stdout
    assert "the record was changed" in said.replace("\n", " ")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: c["points"][2].update(accuracy=0.123), "accuracy is 0.123 in the record"),
        (lambda c: c["points"].pop(1), "the record has 2 points where the plan has 3"),
        (lambda c: c["plan"].update(pool_fraction=0.5), "key"),
        (lambda c: c["facts"].update(fingerprint="0" * 16), "the data are not the same"),
        (lambda c: c["facts"]["versions"].update(torch="1.0"), "torch 1.0 then"),
    ],
)
def test_what_else_was_changed_is_named(finished: SimulationResult, change: Any, what: str) -> None:
    done = replayed(tampered(finished, change), "--runs", 1)
    assert what in done.stdout.replace("\n", " ")


def test_data_that_moved_are_found_and_other_data_noticed(
    simulated: tuple[SimulationResult, Path], finished: SimulationResult, tmp_path: Path
) -> None:
    moved = simulated[1].rename(tmp_path / "moved.npz")
    try:
        assert replayed(finished.folder, "--runs", 1).exit_code != 0
        assert replayed(finished.folder, "--runs", 1, "--at", moved).exit_code == 0
    finally:
        moved.rename(simulated[1])


def test_a_folder_of_images_replays_and_its_report_shows_them(tmp_path: Path) -> None:
    for part, count, start in (("pool", 48, 1000), ("test", 24, 5000)):
        for k in range(count):
            picture(tmp_path / part / NAMES[k % 2] / f"{k}.png", start + k)
    words = {"images": tmp_path / "pool", "test": tmp_path / "test", "out": tmp_path / "out"}
    cache = tmp_path / "cache"
    (result,) = simulate(**{**SMALL, "seeds": 1, "baselines": [], **words}, cache=cache)
    done = replayed(result.folder, "--cache", cache)
    assert done.exit_code == 0, done.output
    assert "the images of" in done.stdout
    report = CliRunner().invoke(app, ["report", str(result.folder), "--cache", str(cache)])
    assert report.exit_code == 0, report.output
    assert result.page.read_text().count("<img src") == 2 * 6
    report = CliRunner().invoke(app, ["report", str(result.folder), "--cache", str(tmp_path)])
    assert "with another cache" in result.page.read_text()


def test_so_many_runs_as_are_short(finished: SimulationResult) -> None:
    every = plan_of(finished).runs()
    assert usual_runs(finished, every) == len(every)

    def slow(content: Any) -> None:
        for point in content["points"]:
            point["seconds_learning"] = SHORT

    assert usual_runs(load_result(tampered(finished, slow)), every) == 1
