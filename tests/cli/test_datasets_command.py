"""`alworkbench datasets` lists, shows and makes collections."""

import csv
import hashlib
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import NO_CLASS
from alworkbench.core.errors import FolderNotEmpty, UnknownCollection
from alworkbench.core.words import percent
from alworkbench.datasets.collections import collections, find_collection
from alworkbench.datasets.image_folders import write_images
from alworkbench.datasets.labelled_images import CollectionImages, LabelledImages
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.inputs.picture import read_image
from alworkbench.simulation.load.collection import load_collection

WIDE = {"COLUMNS": "200"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache):
    def run(*arguments, ok=True):
        environment = {**WIDE, "ALWORKBENCH_CACHE": str(cache)}
        done = CliRunner().invoke(app, ["datasets", *arguments], env=environment)
        if ok:
            assert done.exit_code == 0, done.output
        return done

    return run


@pytest.mark.parametrize("command", ["list", "show", "make"])
def test_help_has_an_example_and_a_json_option(run, command):
    shown = run(command, "--help").output
    assert re.search(rf"Example: alworkbench datasets {command}\b", shown)
    assert "--json" in shown
    assert command in run("--help").output


def test_the_list_has_every_collection_with_role_and_sizes(run):
    rows = json.loads(run("--json").stdout)
    assert [(row["name"], row["role"]) for row in rows] == [(c.name, c.role) for c in collections()]
    glyphs = next(row for row in rows if row["name"] == "glyphs")
    assert (glyphs["pool"], glyphs["test"], glyphs["classes"]) == (5989, 2014, 53)
    assert json.loads(run("list", "--json").stdout) == rows
    words = run().stdout
    assert words == run("list").stdout
    assert all(re.search(rf"^{c.name} +{c.role} ", words, re.M) for c in collections())


def test_a_collection_that_the_machine_lacks_is_listed_with_the_remedy(run, monkeypatch, tmp_path):
    from alworkbench.datasets import fashion_variants

    monkeypatch.setattr(fashion_variants, "DEFAULT_FOLDER", tmp_path)
    words = re.sub(r"\s+", " ", run().stdout)
    assert words.count("not on this machine: install dataset-fashion-mnist") == 4
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert "dataset-fashion-mnist" in rows["fashion"]["not_on_this_machine"]
    assert rows["sample"]["not_on_this_machine"] is None
    refused = run("make", "fashion", ok=False)
    assert "install dataset-fashion-mnist" in str(refused.exception)


def test_show_prints_the_card(run):
    words = run("show", "patches").stdout
    for part in ("report: for final tables only", "CC BY 2.0", "Chinese temple", "1,500", "china"):
        assert part in words
    card = json.loads(run("show", "patches", "--json").stdout)
    assert card["role"] == "report"
    assert card["sizes"]["test"] == {"Chinese temple": 500, "flower": 500}


def test_an_unknown_name_is_refused_with_the_nearest(run):
    refused = run("show", "glyph", ok=False)
    assert isinstance(refused.exception, UnknownCollection)
    assert "Did you mean 'glyphs'" in str(refused.exception)


def test_make_writes_features_and_images(run, cache, tmp_path):
    features, images = tmp_path / "digits.npz", tmp_path / "digits"
    made = json.loads(
        run("make", "digits", "--features", str(features), "--images", str(images), "--json").stdout
    )
    assert made["pool"] + made["test"] == 1797
    assert 0 <= made["zero_shot_accuracy"] <= 1
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert rows["digits"]["zero_shot_accuracy"] == made["zero_shot_accuracy"]
    assert rows["glyphs"]["zero_shot_accuracy"] is None
    assert percent(made["zero_shot_accuracy"]) in run().stdout
    data = load_collection("digits", cache)
    file = read_feature_file(features)
    assert list(file.hashes) == data.table.hashes
    assert file.role == "dev"
    with (images / "manifest.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 1797
    again = run("make", "digits", "--images", str(images), ok=False)
    assert isinstance(again.exception, FolderNotEmpty)


def test_written_images_equal_the_collection(tmp_path):
    digits = find_collection("digits")
    whole = digits.make()
    labels = whole.pool.labels[:30].copy()
    labels[7] = NO_CLASS
    few = CollectionImages(
        LabelledImages.originals(whole.pool.images[:30], labels),
        whole.test.take(np.arange(20)),
    )
    folder = tmp_path / "new" / "images"
    assert write_images(digits, few, folder) == 50
    with (folder / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = [label.name for label in digits.card.classes]
    assert rows[7]["label"] == ""
    for k, row in enumerate(rows):
        part, at = (few.pool, k) if k < 30 else (few.test, k - 30)
        data = (folder / row["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert (np.asarray(read_image(data).convert("L")) == part.images[at]).all()
        assert row["split"] == ("pool" if k < 30 else "test")
        if k != 7:
            assert row["label"] == names[part.labels[at]]
    assert (folder / "classes.txt").read_text().splitlines() == names
    assert [path.name for path in folder.parent.iterdir()] == ["images"]


def test_an_interrupted_write_leaves_no_file(tmp_path):
    digits = find_collection("digits")

    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_images(digits, digits.make(), tmp_path / "images", stop)
    assert list(tmp_path.iterdir()) == []
