"""Every command has help, prints JSON for programs, and fails with a remedy."""

import json
import pickle
import re
from contextlib import closing
from dataclasses import replace

import pytest
import typer.main
from typer.testing import CliRunner

from alworkbench.adaptation.methods import METHODS
from alworkbench.api import stores
from alworkbench.cli.main import app, main
from alworkbench.core import errors
from alworkbench.core.domain import Goal, ProjectSettings
from store import open_store
from tests.making_project import picture

COMMANDS = [c.name or c.callback.__name__ for c in app.registered_commands]
PRINTS_JSON = [name for name in COMMANDS if name not in ("serve", "demo")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert re.search(rf"Example: alworkbench {name}\b", shown.output)


def test_every_option_has_help():
    def without(command, path):
        for name, below in getattr(command, "commands", {}).items():
            yield from without(below, f"{path} {name}")
        for option in command.params:
            if not option.help:
                yield f"{path} {option.opts[0]}"

    assert list(without(typer.main.get_command(app), "")) == []


def test_every_command_stands_under_a_heading():
    listed = (*app.registered_commands, *app.registered_groups)
    assert all(isinstance(one.rich_help_panel, str) for one in listed)


def test_the_function_that_opens_a_store_can_be_pickled():
    made = stores().memory
    assert pickle.loads(pickle.dumps(made)) is made


@pytest.mark.parametrize("name", PRINTS_JSON)
def test_every_reporting_command_has_a_json_option(name):
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert "--json" in shown.output


def test_commands_run_a_whole_round(run, project, tmp_path):
    asked = json.loads(run("propose", "--json").stdout)
    assert len(asked["items"]) == 5
    status = json.loads(run("status", "--json").stdout)
    assert status["open_round"]["number"] == 1
    assert "Label the 5 images left" in status["next_step"]
    rows = [f"{h},{name}" for h, name in list(project.truth.items())[:4]]
    answers = tmp_path / "answers.csv"
    answers.write_text("\n".join(["image,label", *rows]))
    told = json.loads(run("label", str(answers), "--json").stdout)
    assert told == {
        "recorded": 4,
        "known": 0,
        "moved": 0,
        "left_out": 0,
        "taken_back": 0,
        "other_pictures": [],
    }
    learned = json.loads(run("close", "--force", "--json").stdout)
    assert learned["labels"] == 4
    assert 0 <= learned["values"]["accuracy"] <= 1
    sets = asked["round"]["settings"]["class_sets"]
    assert (sets["alpha"], len(sets["sets"])) == (0.1, 5)
    assert json.loads(run("learn", "--json").stdout)["labels"] == 4
    run("learn", "--adaptation", "linearised")
    with closing(open_store(project.folder / "project.db")) as store, store.read() as reader:
        assert reader.settings().adaptation == "linearised"
        assert reader.computed.learner().settings["adaptation"] == "linearised"
    run("learn", "--adaptation", "free-weights")
    out = tmp_path / "labels.csv"
    assert json.loads(run("export", str(out), "--json").stdout)["rows"] == 28
    assert out.read_text().startswith("image,hash,label")
    assert "accuracy now" in run("status").stdout


def test_init_creates_a_project_and_refuses_a_second(tmp_path):
    folder = tmp_path / "birds"
    made = CliRunner().invoke(app, ["init", str(folder), "-c", "barn owl", "-c", "tawny owl"])
    assert made.exit_code == 0
    assert (folder / "project.db").exists()
    again = CliRunner().invoke(app, ["init", str(folder), "-c", "a", "-c", "b"])
    assert isinstance(again.exception, errors.ProjectExists)


def test_init_stores_the_given_settings_or_the_defaults(tmp_path):
    words = ["-c", "barn owl", "-c", "tawny owl"]
    for name, more in (
        ("usual", []),
        ("named", ["--strategy", "default"]),
        ("other", ["--goal", "accuracy", "--adaptation", "probe", "--strategy", "margin"]),
    ):
        made = CliRunner().invoke(app, ["init", str(tmp_path / name), *words, *more, "--json"])
        assert made.exit_code == 0, made.output
        said = json.loads(made.stdout)
        with closing(open_store(tmp_path / name / "project.db")) as store, store.read() as reader:
            found = reader.settings()
        usual = ProjectSettings(name)
        other = replace(usual, goal=Goal.ACCURACY, adaptation="probe", strategy="margin")
        assert found == (other if name == "other" else usual)
        assert (said["strategy"], said["goal"]) == (found.strategy, found.goal)
    for more, kind in (
        (["--adaptation", "prob"], errors.UnknownAdaptation),
        (["--strategy", "margins"], errors.UnknownStrategy),
    ):
        refused = CliRunner().invoke(app, ["init", str(tmp_path / "no"), *words, *more])
        assert isinstance(refused.exception, kind)
    assert not (tmp_path / "no").exists()


def test_adaptations_lists_all_methods_in_order():
    shown = CliRunner().invoke(app, ["adaptations"], env={"COLUMNS": "200"}).output
    names = [line.split()[0] for line in shown.splitlines()[1:]]
    assert names == [method.name for method in METHODS]
    as_json = json.loads(CliRunner().invoke(app, ["adaptations", "--json"]).output)
    assert [each["name"] for each in as_json] == names
    assert [each["name"] for each in as_json if each["default"]] == [ProjectSettings("").adaptation]


def test_simulate_runs_on_a_features_file(project):
    arguments = ["simulate", "--features", str(project.features), "-s", "random", "-s", "epig"]
    sizes = ["--seeds", "1", "--labels", "10", "--batch", "5"]
    done = CliRunner().invoke(app, [*arguments, *sizes, "--no-baselines", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    assert {row["strategy"] for row in rows} == {"random", "epig"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["status", "--project", "nowhere"], 3, "alworkbench init"),
        (["import", "nowhere"], 4, "nowhere"),
        (["propose", "--strategy", "epik"], 7, "Did you mean 'epig'"),
        (["close"], 7, "alworkbench propose"),
        (["propose", "--device", "cuda:77"], 8, "cuda"),
    ],
)
def test_a_failure_names_the_remedy_and_sets_the_exit_code(
    arguments, code, words, project, monkeypatch, capsys
):
    if "--project" not in arguments:
        arguments = [*arguments, "--project", str(project.folder)]
    monkeypatch.setattr("sys.argv", ["alworkbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said


def test_an_unexpected_error_is_one_line_that_names_the_trace_file(
    project, monkeypatch, capsys, tmp_path
):
    def fail(*_, **__):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("alworkbench.project.workbench.Workbench.status", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["alworkbench", "status", "--project", str(project.folder)])
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 70
        said = capsys.readouterr().err
        assert "RuntimeError: two lines" in said
        assert "Run the same command again" in said
        assert said.count("\n") == 1
        (trace,) = (project.folder / "logs").iterdir()
        assert str(trace) in said
        assert "Traceback" in trace.read_text()
        assert "two\nlines" in trace.read_text()


def test_without_a_project_the_trace_file_is_in_the_temporary_folder(monkeypatch, capsys, tmp_path):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr("alworkbench.acquisition.strategy_cards.CARDS", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["alworkbench", "strategies"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    (trace,) = (tmp_path / "alworkbench-logs").iterdir()
    assert str(trace) in capsys.readouterr().err


def test_import_refuses_an_empty_folder_and_lists_unreadable_files(run, project, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert isinstance(run("import", str(empty), ok=False).exception, errors.NothingToImport)
    (empty / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (empty / "text.jpg").write_text("no picture")
    assert isinstance(run("import", str(empty), ok=False).exception, errors.ImagesRefused)
    for seed in (901, 902):
        picture(empty / f"{seed}.png", seed)
    summary = json.loads(run("import", str(empty), "--json").stdout)
    assert summary["new"] == 2
    assert sorted(file["path"] for file in summary["quarantined"]) == ["bad.png", "text.jpg"]
    assert json.loads(run("status", "--json").stdout)["quarantined"] == 2


def test_every_error_has_the_exit_code_of_its_family():
    families = {
        errors.ProjectError: 3,
        errors.DataError: 4,
        errors.EncoderError: 5,
        errors.PosteriorError: 6,
        errors.LoopError: 7,
    }
    for family, code in families.items():
        assert family.exit_code == code
        for kind in family.__subclasses__():
            assert kind.exit_code == code


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ("ViT-B-23:laion2b_s34b_b79k", "ViT-B-32"),
        ("ViT-B-32:laion2b_s34b_b78k", "laion2b_s34b_b79k"),
        ("bundeld", "bundled"),
        ("ViT-B-32:no/such/file.safetensors", "published tags"),
    ],
)
def test_init_refuses_an_encoder_that_does_not_exist_and_makes_nothing(tmp_path, spec, remedy):
    words = ["init", str(tmp_path / "birds"), "--class", "owl", "--class", "tit", "--encoder", spec]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, errors.UnknownEncoder)
    assert remedy in str(done.exception)
    assert not (tmp_path / "birds").exists()


@pytest.mark.parametrize("spec", ["bundled", "features:toy", "ViT-B-32:laion2b_s34b_b79k"])
def test_init_takes_an_encoder_that_exists_without_fetching_it(tmp_path, spec):
    words = ["init", str(tmp_path / "birds"), "--class", "owl", "--class", "tit", "--encoder", spec]
    assert CliRunner().invoke(app, words).exit_code == 0


def test_the_version_is_printed_without_a_command():
    assert CliRunner().invoke(app, ["--version"]).output.strip()
