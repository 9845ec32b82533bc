"""`alworkbench posterior` shows the posterior, exports it as a factor folder and imports one."""

import json

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core import errors
from alworkbench.posterior.published import PRIORS
from tests.making_project import closing

(POSTERIORS,) = (group for group in app.registered_groups if group.name == "posterior")
COMMANDS = [command.name for command in POSTERIORS.typer_instance.registered_commands]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_reports_in_json(name):
    shown = CliRunner().invoke(app, ["posterior", name, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert f"Example: alworkbench posterior {name}" in shown.output
    assert "--json" in shown.output


def test_show_prints_the_posterior(run, project):
    found = json.loads(run("posterior", "show", "--json").stdout)
    with closing(project.open()) as workbench:
        belief = workbench.posteriors.newest()
        assert found["encoder_id"] == workbench.status().encoder
    assert found["provenance"]["pairs"] == found["image"]["pairs"] == belief.image.pairs
    for side in ("image", "text"):
        known = getattr(belief, side)
        assert found[side]["prior_precision"] == known.prior_precision
        assert found[side]["prior_of_most_evidence"] == pytest.approx(known.prior_precision, 1e-5)
        assert [found[side]["embedding_size"], found[side]["activation_size"]] == [
            *known.mean.shape
        ]
    words = run("posterior", "show").stdout
    assert "pseudo-data weight" in words
    assert found["file"] in words


def test_an_exported_posterior_is_imported_unchanged(run, tmp_path):
    before = json.loads(run("posterior", "show", "--json").stdout)
    folder = tmp_path / "factors"
    told = json.loads(run("posterior", "export", str(folder), "--json").stdout)
    assert told["posterior"] == before
    assert (folder / PRIORS).exists()
    assert "posterior import" in run("posterior", "export", str(folder)).stdout
    run("posterior", "import", str(folder), "--prior", "stored", "--weight", "1")
    after = json.loads(run("posterior", "show", "--json").stdout)
    assert after["file"] != before["file"]
    assert after["provenance"]["source"] == "factors"
    for side in ("image", "text"):
        for name, value in before[side].items():
            assert after[side][name] == pytest.approx(value, rel=1e-5), name


def test_import_defaults_to_the_weight_of_the_paper_and_the_highest_evidence(run, tmp_path):
    run("posterior", "export", str(tmp_path / "factors"))
    done = json.loads(run("posterior", "import", str(tmp_path / "factors"), "--json").stdout)
    side = done["posterior"]["image"]
    assert side["pseudo_data_weight"] == 10
    assert side["prior_precision"] == pytest.approx(side["prior_of_most_evidence"])
    assert done["stored"]["image"]["pseudo_data_weight"] == 1
    assert set(done["rounding"]) >= {"A_img_analytic", "B_txt_analytic"}


def test_import_warns_of_a_stored_prior_for_another_weight(run, tmp_path):
    run("posterior", "export", str(tmp_path / "factors"))
    words = run("posterior", "import", str(tmp_path / "factors"), "--prior", "stored").stdout
    assert "belongs to a pseudo-data weight of 1, but --weight is 10" in words


def test_the_project_uses_an_imported_posterior(run, project, tmp_path):
    run("posterior", "export", str(tmp_path / "factors"))
    run("posterior", "import", str(tmp_path / "factors"))
    with closing(project.open()) as workbench:
        assert workbench.posteriors.newest().image.pseudo_data_weight == 10
        assert workbench.rounds.propose().batch_size == 5


def test_an_invalid_folder_changes_nothing(run, tmp_path):
    before = run("posterior", "show", "--json").stdout
    done = run("posterior", "import", str(tmp_path), ok=False)
    assert isinstance(done.exception, errors.InvalidPosteriorFile)
    assert done.exception.exit_code == 6
    assert run("posterior", "show", "--json").stdout == before
