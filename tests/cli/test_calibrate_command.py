"""`alworkbench calibrate`: every source of labels, its table and JSON, and what it refuses."""

import json

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.calibrate_commands import FIGURES
from alworkbench.cli.main import app
from alworkbench.core.errors import TemperatureMismatch, UnknownCollection, UnreadableSource
from alworkbench.features.feature_file import FeatureFile, TrainingPairFeatures
from alworkbench.features.feature_file_io import write_feature_file
from tests.factories import generator, small_model

IMAGES = 140


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Features files of one model: some images, others of other classes, and those of another model."""
    folder = tmp_path_factory.mktemp("files")
    model = small_model(images=IMAGES, dtype=torch.float32)
    labels = torch.randint(0, 4, (IMAGES,), generator=generator(3))
    split = tuple("pool" if k < 10 else "test" for k in range(IMAGES))
    variants = {"a": ("ant", "toy"), "b": ("bird", "toy"), "other": ("bird", "another")}
    for name, (prefix, encoder) in variants.items():
        file = FeatureFile(
            encoder=encoder,
            head=model.head,
            features=model.images,
            class_names=tuple(f"{prefix} {k}" for k in range(4)),
            prompt_activations=model.classes,
            prompt_classes=torch.arange(4),
            paths=tuple(f"{prefix}/{k}.png" for k in range(IMAGES)),
            labels=labels,
            split=split,
            pairs=TrainingPairFeatures(model.images, model.texts),
        )
        write_feature_file(folder / f"{name}.npz", file)
    return {name: str(folder / f"{name}.npz") for name in variants}


def run(*words, ok=True):
    done = CliRunner().invoke(app, ["calibrate", *map(str, words)])
    if ok:
        assert done.exit_code == 0, done.output
    return done


def asked(files, *words, fit_on="a", apply_to="b", **options):
    sources = ("--fit-on", files[fit_on], "--apply-to", files[apply_to])
    return run(*sources, "--images", 40, "--repeats", 2, *words, **options)


def test_the_table_shows_the_figures_of_the_json(files):
    done = asked(files, "--json")
    found = json.loads(done.stdout)
    table = asked(files).stdout
    assert [row["name"] for row in found["rows"]] == ["uncalibrated", "transferred", "oracle"]
    for row in found["rows"]:
        cells = [row["figures"][name] for name in FIGURES]
        for cell in cells:
            assert f"{cell['value']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]" in table
        assert f"{row['figures']['ece_floor']:.3f}" in table
        assert f"{row['temperature']['value']:.2f}" in table
    assert f"{found['over_uncalibrated']['value']:+.3f}" in table
    assert len(found["draws"]) == 2
    assert any("other classes" in warning for warning in found["warnings"])
    assert "other classes" in done.stderr
    assert found["record"]["drawn"] == "random"


def test_the_same_seed_gives_the_same_bytes(files):
    def seen(*words):
        found = json.loads(asked(files, "--json", *words).stdout)
        del found["record"]["created_at"]
        return json.dumps(found)

    assert seen() == seen()
    assert seen() != seen("--seed", 1)


def test_a_saved_temperature_is_applied_on_another_day(files, tmp_path):
    saved = tmp_path / "t.json"
    first = json.loads(asked(files, "--save", saved, "--json").stdout)
    again = run("--fit-on", saved, "--apply-to", files["b"], "--json")
    second = json.loads(again.stdout)
    assert second["rows"] == first["rows"]
    assert second["record"] == first["record"] == json.loads(saved.read_text())


def test_another_model_is_refused_unless_forced(files):
    refused = asked(files, apply_to="other", ok=False)
    assert isinstance(refused.exception, TemperatureMismatch)
    assert refused.exception.exit_code == 5
    assert "another model" in asked(files, "--force", apply_to="other").stderr


def test_the_classes_of_one_data_set_are_cut_in_two(files):
    words = ("--fit-on", files["a"], "--split-classes", "--images", 15, "--repeats", 2, "--json")
    found = [json.loads(run(*words, "--seed", 2).stdout) for _ in range(2)]
    assert found[0]["apply_to"] == "a, the other 2 classes"
    assert found[0]["rows"] == found[1]["rows"]


def test_projects_are_measured_on_their_audit_set(files, project):
    found = asked({"a": project.folder, **{"b": files["b"]}}, "--images", 24, "--json")
    assert json.loads(found.stdout)["fit_images"] == 24


@pytest.mark.parametrize("path", ["plain", "probit"])
def test_the_record_names_the_path(files, path):
    found = json.loads(asked(files, "--path", path, "--json").stdout)
    assert found["record"]["source"]["path"] == path == found["path"]


def test_what_cannot_be_asked_is_refused(files, tmp_path):
    saved = tmp_path / "t.json"
    asked(files, "--save", saved)
    both = ("--fit-on", files["a"], "--apply-to", files["b"], "--split-classes")
    neither = ("--fit-on", files["a"])
    again = ("--fit-on", saved, "--apply-to", files["b"], "--images", 5)
    for words in (both, neither, again, ("--apply-to", files["b"])):
        assert run(*words, ok=False).exit_code == 2
    for name, error in (("nonsense", UnknownCollection), ("no/where", UnreadableSource)):
        assert isinstance(run("--fit-on", name, "--apply-to", "sample", ok=False).exception, error)


def test_without_options_the_help_is_shown():
    assert "--fit-on" in run(ok=False).output
