"""Fitting as a user does it: from pairs, or from the pool of a project whose features came from a file."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectSettings
from alworkbench.core.errors import FeaturesMissing, ReplacesCaptions, UnknownEncoder
from alworkbench.features.feature_file_io import read_feature_file, write_feature_file
from store import create_store
from tests.engines.inline_engine import InlineEngine
from tests.making_project import NAMES, Project, closing, picture


def fit(folder, *arguments):
    return CliRunner().invoke(app, ["fit", *arguments, "--project", str(folder)])


def test_a_posterior_fitted_from_the_pool_can_rank_it(workbench):
    record = workbench.posteriors.fit_from_pool(replace_captions=True)
    assert record.provenance["source"] == "pool"
    assert record.provenance["images"] == 40
    posterior = workbench.posteriors.newest()
    assert posterior.image.pairs == posterior.text.pairs == 40
    assert len(workbench.rounds.items(workbench.rounds.propose("bald").id)) == 5


def test_the_audit_set_does_not_reach_a_posterior_from_the_pool(project):
    with closing(project.open()) as workbench:
        before = workbench.posteriors.fit_from_pool(replace_captions=True)
        values = workbench.posteriors.newest().image.activation.values
        rows = [h for h, place in project.truth.items()]
        assert len(rows) > before.provenance["images"]
        table = workbench.session.engine().table()
        with workbench.session.store.read() as reader:
            pool = [h for _, h in reader.images.ids_and_hashes("pool")]
        activations = table.gather(table.rows_of(pool)).activations.double()
        wanted = torch.linalg.eigvalsh(activations.T @ activations)
        torch.testing.assert_close(values, wanted, rtol=1e-5, atol=1e-5)


def test_pairs_cannot_be_encoded_where_features_came_from_a_file(workbench, tmp_path):
    with pytest.raises(UnknownEncoder, match="alworkbench fit --from-pool"):
        workbench.posteriors.fit(tmp_path / "pairs.csv")


def test_fitting_before_encoding_is_refused(tmp_path):
    folder = Project(tmp_path / "project", tmp_path, {})
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    create_store(folder.folder, ProjectSettings("toy"), classes, folder.clock()).close()
    with closing(folder.open()) as workbench, pytest.raises(FeaturesMissing):
        workbench.posteriors.fit_from_pool()


def test_the_command_takes_one_source(project):
    assert fit(project.folder).exit_code == 2
    assert fit(project.folder, "--pairs", "a.csv", "--from-pool").exit_code == 2
    assert fit(project.folder, "--pairs", "a.csv", "--replace").exit_code == 2
    done = fit(project.folder, "--from-pool", "--replace")
    assert done.exit_code == 0, done.output
    assert "an approximate posterior from 40 images of the pool" in done.output
    found = json.loads(fit(project.folder, "--from-pool", "--json").stdout)
    assert found["provenance"]["source"] == "pool"


def test_a_posterior_from_captions_is_replaced_on_request_only(project):
    with closing(project.open()) as workbench:
        before = workbench.posteriors.newest()
        with pytest.raises(ReplacesCaptions, match=r"features\.npz.*--from-pool --replace"):
            workbench.posteriors.fit_from_pool()
        assert workbench.posteriors.newest() is before
    refused = fit(project.folder, "--from-pool")
    assert isinstance(refused.exception, ReplacesCaptions)
    assert "was fitted from 64 image-caption pairs" in str(refused.exception)
    assert fit(project.folder, "--from-pool", "--replace").exit_code == 0
    with closing(project.open()) as workbench:
        assert workbench.posteriors.describe().provenance["source"] == "pool"
        workbench.posteriors.fit_from_pool()  # of two approximations, one replaces the other


def test_the_bundled_model_is_fitted_from_a_csv_and_from_the_pool(tmp_path):
    folder = Project(tmp_path / "project", tmp_path, {})
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    create_store(folder.folder, ProjectSettings("toy"), classes, folder.clock()).close()
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        for k in range(12):
            picture(tmp_path / "pictures" / f"{k}.png", k)
            rows.writerow([f"pictures/{k}.png", f"a photo of {NAMES[k % 4]} number {k}"])
        rows.writerow(["", "no picture"])
    with closing(folder.open()) as workbench:
        workbench.images.add(tmp_path / "pictures")
        workbench.features.encode(workers=0)
    done = fit(folder.folder, "--pairs", str(tmp_path / "pairs.csv"), "--batch", "6")
    assert done.exit_code == 0, done.output
    left_out = "0 pairs with an unreadable image and 1 incomplete entries were left out"
    assert f"a posterior from 12 pairs ({left_out})" in done.output
    assert list((folder.folder / "posteriors").glob("partial-*")) == []
    with closing(folder.open()) as workbench:
        alone = workbench.posteriors.newest().text.activation.values
        engine = InlineEngine()
        record = workbench.posteriors.fit(tmp_path / "pairs.csv", batch=6, engine=engine)
        assert (record.provenance["pairs"], record.provenance["ignored"]) == (12, 1)
        assert (engine.groups, engine.returned < 100) == (1, True)
        found = workbench.posteriors.newest().text.activation.values
        torch.testing.assert_close(found, alone)
        record = workbench.posteriors.fit_from_pool(replace_captions=True)
        assert record.provenance["images"] == 12
        assert record.provenance["prompts"] > 900
        assert workbench.rounds.propose("bald", 3).batch_size == 3


def test_a_simulation_tells_that_a_features_file_has_no_pairs(project, tmp_path):
    path = tmp_path / "no-pairs.npz"
    write_feature_file(path, replace(read_feature_file(project.features), pairs=None))
    arguments = ["simulate", "--features", str(path), "-s", "random", "--seeds", "1", "--json"]
    sizes = ["--labels", "5", "--batch", "5", "--no-baselines"]
    done = CliRunner().invoke(app, [*arguments, *sizes])
    assert done.exit_code == 0, done.output
    assert "no pair_activations: the posterior was fitted from its pool" in " ".join(
        done.stderr.split()
    )
    assert json.loads(done.stdout)["rows"]
