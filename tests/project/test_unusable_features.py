"""Images whose features cannot be computed with are set aside, and the rest of a project works."""

from __future__ import annotations

from contextlib import closing as closing_store

import numpy as np
import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectSettings, QuarantineCode
from alworkbench.core.errors import NothingToImport
from alworkbench.features.store import FeatureStore
from store import create_store
from tests.making_project import NAMES, POOL, Project, answering, closing

BAD = {3: 0.0, 7: np.nan, 11: np.inf}


@pytest.fixture
def broken(tmp_path, made):
    """A project with the pool's images and no features, and a features file with rows of `BAD`."""
    pictures, features, truth = made
    with np.load(features) as arrays:
        given = {name: arrays[name] for name in arrays if not name.startswith("pair_")}
    given["activations"] = given["activations"].copy()
    for row, value in BAD.items():
        given["activations"][row] = value
    if "residuals" in given:
        given["residuals"] = np.where(
            np.arange(len(given["labels"]))[:, None] == 3, 0, given["residuals"]
        )
    path = tmp_path / "features.npz"
    np.savez(path, **given)
    found = Project(tmp_path / "project", path, truth)
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    settings = ProjectSettings("toy", encoder="features:toy", batch_size=5)
    with closing_store(create_store(found.folder, settings, classes, found.clock())):
        pass
    with closing(found.open()) as workbench:
        workbench.images.add(pictures / "pool")
    return found, features, given


def test_the_rows_are_named_and_the_project_works(broken):
    project, _, given = broken
    hashes = {str(given["hashes"][row]) for row in BAD}
    with closing(project.open()) as workbench:
        summary = workbench.features.take(project.features)
        assert [each.row for each in summary.unusable] == list(BAD)
        assert {each.hash for each in summary.unusable} == hashes
        assert (summary.encoded, summary.quarantined) == (POOL - len(BAD), len(BAD))
        workbench.posteriors.fit_from_pool()
        opened = workbench.rounds.propose(batch_size=5)
        answering(project)(workbench, 5)
        workbench.rounds.close()
        asked = {item.image_id for item in workbench.rounds.items(opened.id)}
        with workbench.session.store.read() as reader:
            never = {reader.images.by_hash(content).id for content in hashes}
        assert not asked & never
        engine = workbench.session.engine()
        refused = engine.table().quarantined()
        assert set(refused) == hashes
        assert set(refused.values()) == {QuarantineCode.NONFINITE}
        again = workbench.features.take(project.features)
        assert (again.encoded, again.known) == (0, POOL - len(BAD))
        store = FeatureStore(workbench.session.folder.features / engine.encoder_id)
        assert len(list(store.shards())) == 1  # nothing is recorded twice


def test_a_corrected_file_brings_the_images_that_were_set_aside(broken):
    project, good, _ = broken
    with closing(project.open()) as workbench:
        workbench.features.take(project.features)
        mended = workbench.features.take(good)
        assert (mended.encoded, mended.quarantined, mended.unusable) == (len(BAD), 0, ())
        table = workbench.session.engine().table()
        assert len(table) == POOL
        assert not table.quarantined()


def test_the_command_names_the_rows(broken):
    project, *_ = broken
    done = CliRunner().invoke(
        app, ["encode", "--project", str(project.folder), "--features", str(project.features)]
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Set aside 3 rows" in said
    for row in BAD:
        assert f"row {row} of activations" in said


def test_a_file_of_other_images_is_still_refused(broken, tmp_path):
    project, _, given = broken
    other = tmp_path / "other.npz"
    np.savez(
        other, **given | {"hashes": np.array([f"{k:064x}" for k in range(len(given["hashes"]))])}
    )
    with closing(project.open()) as workbench, pytest.raises(NothingToImport, match="None of the"):
        workbench.features.take(other)
