"""Several people on the command line: settings, agreement, pace, and a wrong label found and settled."""

from __future__ import annotations

import json

import pytest

from alworkbench.core.domain import Answer, AnswerKind, Role


@pytest.fixture
def labelled(workbench, answers, run):
    """Two people answer 24 images; both gave one of them a wrong class, and one of them a second."""
    run("set", "--overlap", "2")
    workbench.rounds.propose("random", 24)
    given = answers(workbench, 24, "ada")
    answers(workbench, 24, "bob")
    classes = workbench.classes.current().classes
    for who, image in (("ada", 0), ("bob", 0), ("bob", 1)):
        item = given[image]
        wrong = next(c for c in classes if c.id != item.class_id)
        workbench.labels.record(
            Answer(
                f"wrong {who} {image}",
                item.image_id,
                AnswerKind.CLASS,
                who,
                class_id=wrong.id,
                item_id=item.item_id,
                lease_token=item.lease_token,
                duration_ms=2000,
            )
        )
    workbench.rounds.close()
    return workbench, given


def test_settings_of_a_team_are_changed_and_checked(run, project):
    said = run("set", "--overlap", "3", "--blind-share", "0.5", "--consensus", "dawid-skene")
    assert "overlap: 1 -> 3" in said.output
    with project.open() as workbench:
        settings = workbench.session.settings()
    assert (settings.overlap, settings.blind_share, settings.consensus.value) == (
        3,
        0.5,
        "dawid-skene",
    )
    assert run("set", "--blind-share", "50", ok=False).exit_code == 2
    assert run("set", "--overlap", "0", ok=False).exit_code == 2


def test_agreement_and_pace_are_printed(labelled, run):
    found = json.loads(run("agreement", "--json").output)
    (pair,) = found["agreement"]["pairs"]
    assert (pair["first"], pair["second"], pair["images"], pair["share"]) == (
        "ada",
        "bob",
        24,
        23 / 24,
    )
    assert "Krippendorff's alpha 0." in run("agreement").output
    assert "96 %" in run("pace").output
    assert [each["person"] for each in json.loads(run("pace", "--json").output)] == [
        *("ada", "bob", "manifest")
    ]


def test_a_disagreement_is_found_and_settled(labelled, run):
    workbench, given = labelled
    found = json.loads(run("review", "list", "--errors", "--json").output)
    why = {(c["review"]["image_id"], c["review"]["reason"]) for c in found["cases"]}
    assert (given[1].image_id, "disagreement") in why
    assert found["advice"]["accuracy"] == pytest.approx(0.9, abs=0.1)
    assert "To teach the model" in run("review", "list", "--errors").output
    name = next(c.name for c in workbench.classes.current().classes if c.id == given[1].class_id)
    for case in found["cases"]:
        if case["review"]["image_id"] == given[1].image_id:
            if case["review"]["reason"] == "label_error":
                continue  # closed with the disagreement about the same image
            run("review", "resolve", str(case["review"]["id"]), name, "--by", "eve")
        else:
            run("review", "dismiss", str(case["review"]["id"]), "--by", "eve", "--note", "fine")
    assert "no case" in run("review", "list", "--errors").output
    assert "resolved by eve" in run("review", "list", "--all").output
    with workbench.session.store.read() as reader:
        assert reader.labels.current(Role.POOL)[given[1].image_id].class_id == given[1].class_id


def test_clear_errors_are_listed_first_and_a_case_is_passed_on(labelled, run):
    """Image 0, to which both gave the same wrong class, and image 1 are found; a high cut finds nothing."""
    _, given = labelled
    none = json.loads(run("review", "list", "--errors", "--odds", "1e9", "--json").output)
    assert {c["review"]["reason"] for c in none["cases"]} == {"disagreement"}
    found = json.loads(run("review", "list", "--errors", "--json").output)["cases"]
    errors = [c["review"] for c in found if c["review"]["reason"] == "label_error"]
    assert {given[0].image_id, given[1].image_id} <= {e["image_id"] for e in errors}
    odds = [e["predicted_probability"] / e["probability"] for e in errors]
    assert odds == sorted(odds, reverse=True)
    assert min(odds) > 5
    case = str(errors[0]["id"])
    assert "waits for another reviewer" in run("review", "pass-on", case, "--by", "eve").output
    assert "eve asks for a second opinion" in run("review", "list").output
    (asked,) = [
        c["review"]["id"]
        for c in json.loads(run("review", "list", "--json").output)["cases"]
        if c["review"]["asked_by"] == "eve"
    ]
    refused = run("review", "resolve", str(asked), "--cannot-tell", "--by", "eve", ok=False)
    assert refused.exit_code != 0
    run("review", "resolve", str(asked), "--cannot-tell", "--by", "joe")
    assert "passed on by eve" in run("review", "list", "--all").output


def test_a_project_without_a_second_answer_says_what_to_do(run):
    assert "set --overlap 2" in run("agreement").output
    assert "manifest" in run("pace").output  # who labelled the audit images
    assert run("review", "resolve", "7", "--cannot-tell", ok=False).exit_code != 0
    assert run("review", "resolve", "7", ok=False).exit_code == 2
