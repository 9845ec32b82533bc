"""Commands of a campaign: audit, curves, advise and replay."""

import json

import pytest

from alworkbench.core.provenance import MARK
from tests.making_project import POOL, closing


def test_an_audit_dry_run_reports_the_interval_and_draws_nothing(run, project):
    found = json.loads(run("audit", "--images", "10", "--dry-run", "--json").stdout)
    assert found["images"] == 10
    assert 0 < found["half_width"] < 0.5
    assert "points" in run("audit", "--width", "0.1", "--dry-run").stdout
    with closing(project.open()) as workbench:
        assert workbench.rounds.all() == []


def test_audit_curves_advise_and_replay_work_on_one_campaign(run, project, answers):
    with closing(project.open()) as workbench:
        for _ in range(2):
            workbench.rounds.propose("random", 5)
            answers(workbench, 5)
            workbench.rounds.close()
    drawn = json.loads(run("audit", "--images", "6", "--json").stdout)
    assert drawn["offer"]["pool"] == POOL - 10
    with closing(project.open()) as workbench:
        answers(workbench, 6)
        workbench.rounds.close()
    curve = json.loads(run("curves", "--json").stdout)
    assert [record["round_number"] for record in curve["audit"]] == [0, 1, 2]
    assert len(curve["drawn"]) == 2
    words = run("curves").stdout
    assert "Measured on the audit set" in words
    assert "LURE" in words
    assert curve["leave_one_out"]["labels"] > 0
    assert "not about the pool" in words
    advice = json.loads(run("advise", "--target", "0.9", "--json").stdout)
    assert advice["measured"]
    assert "rule" in run("advise").stdout
    matrix = json.loads(run("errors", "--json").stdout)
    assert matrix["accuracy"] == curve["audit"][-1]["values"]["accuracy"]
    worst = matrix["classes"][0]
    cell = ("--evidence", "audit", "--class", worst["name"], "--predicted", worst["name"])
    assert json.loads(run("gallery", *cell, "--json").stdout)["total"] == worst["right"]
    table = project.folder / "classes.csv"
    assert worst["name"] in run("errors", "--of", "left-out", "--csv", str(table)).stdout
    assert table.read_text().startswith("Class,Images,Right")
    held = json.loads(run("reliability", "--json").stdout)
    assert (held["images"], held["needed"]) == (30, 0)
    assert "Likely classes promise 90 %" in run("reliability").stdout
    assert "needed for figures" in run("reliability", "--of", "left-out").stdout
    found = json.loads(run("replay", "--json").stdout)
    assert found["difference"] is None
    assert found["rounds"] == 3
    with closing(project.open()) as workbench, workbench.session.store.read() as reader:
        assert len(reader.computed.learner().settings["taught"]) == 10 * MARK


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("advise", "--target", "90"), "90 is not between 0 and 1. Did you mean 0.9?"),
        (("advise", "--target", "-1"), "-1 is not between 0 and 1."),
        (("audit", "--width", "5"), "5 is not between 0.005 and 0.49. Did you mean 0.05?"),
    ],
)
def test_a_percentage_in_place_of_a_share_is_refused(run, words, told):
    done = run(*words, ok=False)
    assert done.exit_code == 2
    assert told in " ".join(done.output.replace("│", " ").split())


def test_curves_refuse_too_few_labels_and_say_how_many_are_needed(run):
    done = run("curves", "--counterfactual", ok=False)
    assert "at least 30 labelled images" in str(done.exception)


@pytest.mark.parametrize("words", [("--images", "5", "--width", "0.1")])
def test_audit_refuses_both_a_size_and_a_width(run, words):
    assert run("audit", *words, ok=False).exit_code == 2
