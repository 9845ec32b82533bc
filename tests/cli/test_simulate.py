"""`alworkbench simulate`: flags, plan files and Python say the same; every source can be replayed on."""

from __future__ import annotations

import inspect
import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alworkbench.adaptation.methods import find_method
from alworkbench.api import open_project, simulate
from alworkbench.cli import simulating
from alworkbench.cli.main import app
from alworkbench.core.domain import (
    BASELINE_METHODS,
    DEFAULT_STRATEGY,
    AnswerKind,
    Goal,
    JobKind,
    Role,
)
from alworkbench.core.errors import InvalidPlan, JobRuns, NothingToImport, UnreadableSource
from alworkbench.simulation.config import SimulationConfig, needed
from alworkbench.simulation.plan import OraclePlan, Plan
from alworkbench.simulation.results import SimulationResult, load_results
from store import open_store
from tests.making_project import NAMES, Project, picture

SMALL = {
    "strategies": ["random", "margin"],
    "baselines": [],
    "seeds": 1,
    "labels": 6,
    "batch": 3,
    "processes": 1,
}


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[SimulationConfig]:
    """What the command asks for, instead of doing it."""
    found: list[SimulationConfig] = []

    def note(config: SimulationConfig, *_: object, **__: object) -> list[SimulationResult]:
        found.append(config)
        return []

    monkeypatch.setattr("alworkbench.simulation.experiment.run_experiment", note)
    return found


def run(*words: object) -> None:
    result = CliRunner().invoke(app, ["simulate", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_flags_and_a_plan_file_say_the_same(
    tmp_path: Path, requested: list[SimulationConfig]
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        """
        data: [glyphs, digits]
        strategies: [random, epig]
        adaptations: linearised
        baselines: [probe, cache]
        batch: [5, 10]
        seeds: 4
        labels: 50
        audit: 12
        pool_fraction: 0.5
        goal: balanced
        transductive: true
        strength_image: 0.01
        strength_text: 0.1
        noise: 0.1
        skip: 0.2
        seconds: [2.5, 4]
        processes: 2
        out: results
        """
    )
    run("--plan", plan)
    flags = "--data glyphs --data digits -s random -s epig --adaptation linearised --batch 5 "
    flags += "--baseline probe --baseline cache "
    flags += "--batch 10 --seeds 4 --labels 50 --audit 12 --pool-fraction 0.5 --goal balanced "
    flags += "--transductive --strength-image 0.01 --strength-text 0.1 --noise 0.1 --skip 0.2 "
    flags += "--seconds 2.5 --seconds 4 --processes 2"
    run(*flags.split(), "--out", tmp_path / "results")
    by_file, by_flags = requested
    assert by_file == by_flags
    assert by_file.plan.goal is Goal.BALANCED
    assert by_file.plan.oracle == OraclePlan(0.1, 0.2, (2.5, 4.0))


def test_every_parameter_has_an_option_and_stands_in_the_help() -> None:
    words = SimulationConfig.model_fields
    options = inspect.signature(simulating.simulate).parameters
    assert set(options) - {"plan", "cache", "device", "engine", "as_json", "no_baselines"} == set(
        words
    )
    assert all(name in str(simulating.simulate.__doc__) for name in words)
    assert all(field.description and needed(name) for name, field in words.items())


def test_what_is_said_beside_a_plan_file_counts_more(
    tmp_path: Path, requested: list[SimulationConfig]
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("data: glyphs\nseeds: 4\n")
    run("--plan", plan, "--seeds", 7)
    assert requested[0].plan.seeds == 7
    assert requested[0].data == ("glyphs",)


def test_nothing_said_is_the_usual_plan_on_the_project_here(
    requested: list[SimulationConfig],
) -> None:
    run()
    assert requested == [SimulationConfig()]
    strategies = ("random", "entropy", "margin", DEFAULT_STRATEGY)
    assert requested[0].plan == Plan(strategies, baselines=BASELINE_METHODS)
    assert all(find_method(name) for name in BASELINE_METHODS)


def test_baselines_are_run_where_random_is_compared_or_where_they_are_named(
    tmp_path: Path, requested: list[SimulationConfig]
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("strategies: random\nbaselines: []\n")
    run("-s", "random")
    run("-s", "margin")
    run("-s", "margin", "--baseline", "probe")
    run("-s", "random", "--no-baselines")
    run("--plan", plan)
    run("--plan", plan, "--baseline", "cache")
    found = [each.plan.baselines for each in requested]
    assert found == [BASELINE_METHODS, (), ("probe",), (), (), ("cache",)]
    words = ["simulate", "--baseline", "probe", "--no-baselines"]
    assert CliRunner().invoke(app, words).exit_code == 2


def test_the_usual_project_gives_way_to_another_source(
    monkeypatch: pytest.MonkeyPatch, requested: list[SimulationConfig]
) -> None:
    monkeypatch.setenv("ALWORKBENCH_PROJECT", "birds")
    run("--data", "glyphs")
    run()
    assert requested[0].data == ("glyphs",)
    assert requested[1].project == Path("birds")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"strategy": "epig"}, "Did you mean 'strategies'"),
        ({"seeds": 0}, "seeds: '0'"),
        ({"seeds": True}, "seeds"),
        ({"labels": 1.5}, "labels"),
        ({"noise": float("nan")}, "noise"),
        ({"noise": 1.0}, "to below 1"),
        ({"noise": [[0.5, 0.5], [1, 1]]}, "row 2 does not add up to 1"),
        ({"noise": [[1.0]] * 2}, "not square"),
        ({"noise": ["ab"]}, "noise"),
        ({"batch": []}, "empty"),
        ({"strategies": ["epig", "epig"]}, "is repeated"),
        ({"baselines": ["probe", "probe"]}, "is repeated"),
        ({"goal": "fame"}, "accuracy, balanced"),
        ({"transductive": "yes"}, "true or false"),
        ({"seconds": [0]}, "seconds"),
        ({"seconds": "often"}, "seconds"),
        ({"data": "glyphs", "features": "f.npz"}, "one of data, images, features or project"),
        ({"data": "glyphs", "test": "t"}, "belongs to images"),
        ({"images": "i", "seconds": "own"}, "belongs to a project"),
    ],
)
def test_impossible_plans_are_refused_with_what_is_needed(
    words: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidPlan, match=told):
        SimulationConfig.of(words)


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "data: [a", "\x00", "seeds: 1\nseeds: 2", "a: &a [*a]", "!!python/object:x {}", ""],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InvalidPlan):
        SimulationConfig.read(path)
    with pytest.raises(InvalidPlan, match="cannot be read"):
        SimulationConfig.read(tmp_path / "absent.yaml")


def test_a_confusion_matrix_comes_from_a_plan_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("noise:\n- [0.9, 0.1]\n- [0, 1]\n")
    assert SimulationConfig.read(path).plan.oracle.noise == ((0.9, 0.1), (0.0, 1.0))


# ------------------------------------------------------------------------------------------ sources


def test_a_project_keeps_its_simulations_in_its_folder(project: Project, tmp_path: Path) -> None:
    """Own labels as truth, and the seconds that they took as cost."""
    with closing(open_store(project.folder)) as store, store.write() as writer:
        known = {content: n for n, content in writer.images.ids_and_hashes(Role.POOL)}
        classes = writer.classes.current()
        from alworkbench.core.domain import Answer

        writer.labels.add_many(
            [
                Answer(
                    event_id=content,
                    image_id=image,
                    kind=AnswerKind.CLASS,
                    annotator="ada",
                    class_id=classes.with_name(project.truth[content]).id,  # type: ignore[union-attr]
                    duration_ms=2500,
                )
                for content, image in known.items()
            ],
            project.clock(),
        )
    words = {**SMALL, "project": project.folder, "seconds": "own"}
    (result,) = simulate(**words, cache=tmp_path)
    assert result.folder.parent == project.folder / "simulations"
    assert {p.seconds_answering for p in result.points if p.round} == {3 * 2.5}
    assert result.facts["oracle"].startswith("takes 2.5 s an image")
    assert load_results(project.folder / "simulations") == [result]


def test_a_features_file_keeps_its_results_beside_it(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    shutil.copy(project.features, path)
    (result,) = simulate(**SMALL, features=path, cache=tmp_path)
    out = tmp_path / "toy-simulations"
    assert result.folder == out / result.key
    assert simulate(**SMALL, features=path, cache=tmp_path) == [result]
    assert load_results(out) == [result]
    assert len(result.points) == 2 * (1 + 2)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of small pictures: 24 of each of two classes, one of them twice."""
    root = tmp_path_factory.mktemp("tree")
    for k in range(48):
        picture(root / NAMES[k % 2] / f"{k}.png", 1000 + k)
    shutil.copy(root / NAMES[0] / "0.png", root / NAMES[0] / "again.png")
    return root


def test_a_tree_of_class_folders_is_split_by_content(tree: Path, tmp_path: Path) -> None:
    words = {**SMALL, "images": tree, "out": tmp_path / "out"}
    with pytest.raises(NothingToImport, match="14 images of the audit set"):
        simulate(**words, cache=tmp_path / "cache")


def test_a_tree_with_a_test_tree_is_encoded_once(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tmp_path / "test"
    for k in range(24):
        picture(test / NAMES[k % 2] / f"{k}.png", 5000 + k)
    words = {**SMALL, "images": tree, "test": test, "out": tmp_path / "out"}
    (first,) = simulate(**words, cache=tmp_path / "cache")
    assert first.facts["pool"] == 48
    assert first.facts["test"] == 24
    assert first.facts["classes"] == sorted(NAMES[:2])
    encoded = len(list((tmp_path / "cache" / "images").iterdir()))
    monkeypatch.setattr(
        "alworkbench.simulation.load.image_data.read_source",
        lambda *_, **__: pytest.fail("read again"),
    )
    (again,) = simulate(**words, cache=tmp_path / "cache")
    assert again == first
    assert len(list((tmp_path / "cache" / "images").iterdir())) == encoded == 1


def test_an_image_in_both_trees_is_refused(tree: Path, tmp_path: Path) -> None:
    test = tmp_path / "test"
    shutil.copytree(tree / NAMES[0], test / NAMES[0])
    with pytest.raises(InvalidPlan, match="24 images stand both"):
        simulate(**SMALL, images=tree, test=test, cache=tmp_path)
    with pytest.raises(UnreadableSource, match="nothing at"):
        simulate(**SMALL, images=tmp_path / "absent", cache=tmp_path)


def test_the_command_prints_one_object(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    shutil.copy(project.features, path)
    words = ["--features", path, "-s", "random", "--seeds", 1, "--labels", 3, "--batch", 3]
    words += ["--processes", 1, "--no-baselines", "--json"]
    result = CliRunner().invoke(app, ["simulate", *map(str, words)], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert said["facts"]["oracle"] == "always right"
    assert len(said["rows"]) == 1
    assert Path(said["folder"], "points.parquet").is_file()


def test_a_project_keeps_results_on_other_data_and_lists_them(
    project: Project, tmp_path: Path
) -> None:
    """Computing them is a job of the project, of which one is live; reading them again is none."""
    words = {**SMALL, "adaptations": ["zero-shot"], "features": project.features}
    with open_project(project.folder) as workbench:
        with workbench.jobs.claim(JobKind.SIMULATE, lambda: "another"), pytest.raises(JobRuns):
            simulate(**words, out=project.folder, cache=tmp_path)
        (result,) = simulate(**words, out=project.folder, cache=tmp_path)
        assert simulate(**words, out=project.folder, cache=tmp_path) == [result]
        titles = [job.title for job in workbench.jobs.newest()]
    assert result.folder.parent == project.folder / "simulations"
    assert titles == [f"simulate {result.name}", "another"]
    said = CliRunner().invoke(
        app, ["simulations", "--project", str(project.folder), "--json"], catch_exceptions=False
    )
    (listed,) = json.loads(said.stdout)["finished"]
    assert (listed["key"], listed["seeds"]) == (result.key, 1)
