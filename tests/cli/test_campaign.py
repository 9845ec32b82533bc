"""The commands of a campaign, as a person types them."""

import json

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.provenance import MARK
from tests.making_project import POOL, closing


def run(project, *words, code=0):
    done = CliRunner().invoke(app, [*words, "--project", str(project.folder)])
    assert done.exit_code == code, done.output
    return done.stdout


def test_a_dry_run_says_what_an_audit_set_buys_and_draws_nothing(project):
    found = json.loads(run(project, "audit", "--images", "10", "--dry-run", "--json"))
    assert found["images"] == 10
    assert 0 < found["half_width"] < 0.5
    assert "points" in run(project, "audit", "--width", "0.1", "--dry-run")
    with closing(project.open()) as workbench:
        assert workbench.rounds.all() == []


def test_audit_curves_advice_and_replay_of_one_campaign(project, answers):
    with closing(project.open()) as workbench:
        for _ in range(2):
            workbench.rounds.propose("random", 5)
            answers(workbench, 5)
            workbench.rounds.close()
    drawn = json.loads(run(project, "audit", "--images", "6", "--json"))
    assert drawn["offer"]["pool"] == POOL - 10
    with closing(project.open()) as workbench:
        answers(workbench, 6)
        workbench.rounds.close()
    curve = json.loads(run(project, "curves", "--json"))
    assert [record["round_number"] for record in curve["audit"]] == [0, 1, 2]
    assert len(curve["drawn"]) == 2
    words = run(project, "curves")
    assert "Measured on the audit set" in words
    assert "LURE" in words
    assert curve["leave_one_out"]["labels"] > 0
    assert "not about the pool" in words
    advice = json.loads(run(project, "advise", "--target", "0.9", "--json"))
    assert advice["measured"]
    assert "rule" in run(project, "advise")
    found = json.loads(run(project, "replay", "--json"))
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
def test_percents_where_a_share_belongs_are_told_apart(project, words, told):
    done = CliRunner().invoke(app, [*words, "--project", str(project.folder)])
    assert done.exit_code == 2
    assert told in " ".join(done.output.replace("│", " ").split())


def test_curves_without_enough_labels_say_what_is_needed(project):
    done = CliRunner().invoke(app, ["curves", "--counterfactual", "--project", str(project.folder)])
    assert "at least 30 labelled images" in str(done.exception)


@pytest.mark.parametrize("words", [("--images", "5", "--width", "0.1")])
def test_a_size_is_given_one_way(project, words):
    run(project, "audit", *words, code=2)
