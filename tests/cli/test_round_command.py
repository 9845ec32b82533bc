"""A round on the command line: every image once, and a file that can be filled in and given back."""

import csv
import json
from pathlib import Path

import pytest

from alworkbench.acquisition.strategy_cards import score_unit
from alworkbench.core import errors
from alworkbench.core.domain import Answer, AnswerKind
from alworkbench.inputs.picture import hash_file
from alworkbench.project.round_rows import COLUMNS


@pytest.fixture
def asked(workbench, answers):
    """A round of 6 images: the first 2 have a class, the third was skipped."""
    workbench.rounds.propose("margin", 6)
    answers(workbench, 2)
    (item,) = workbench.labels.claim("ada", 1)
    workbench.labels.record(
        Answer(
            "skip",
            item.image_id,
            AnswerKind.SKIP,
            "ada",
            item_id=item.id,
            lease_token=item.lease.token,
        )
    )
    return workbench


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def filled(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def test_the_file_has_every_image_in_order_with_its_suggestion_and_answer(asked, run, tmp_path):
    run("round", "--csv", str(tmp_path / "round.csv"))
    rows = table(tmp_path / "round.csv")
    items = asked.rounds.items(1)
    names = {c.id: c.name for c in asked.classes.current().classes}
    assert tuple(rows[0]) == COLUMNS
    assert [row["hash"] for row in rows] == [asked.images.get(i.image_id).hash for i in items]
    assert [hash_file(Path(row["path"])) for row in rows] == [row["hash"] for row in rows]
    for row, item in zip(rows, items, strict=True):
        assert row["suggestion"] == names[item.suggestion.class_id]
        assert float(row["suggestion_probability"]) == item.suggestion.probability
        assert float(row["score"]) == item.score
        given = item.label
        assert row["answer"] == (given.kind.value if given else "")
        assert row["label"] == (names[given.class_id] if given and given.class_id else "")


def test_a_filled_in_file_records_the_labels_of_its_rows(asked, run, project, tmp_path):
    path = tmp_path / "round.csv"
    run("round", "--csv", str(path))
    rows = table(path)
    truth = {row["hash"]: project.truth[row["hash"]] for row in rows}
    filled(path, [{**row, "label": truth[row["hash"]]} for row in rows])
    run("label", str(path), "--annotator", "ada")
    told = json.loads(run("round", "--json").stdout)["items"]
    assert {row["hash"]: row["label"] for row in told} == truth
    assert {row["answer"] for row in told} == {"class"}


def test_an_untouched_file_of_unanswered_images_holds_no_label(asked, run, tmp_path):
    path = tmp_path / "round.csv"
    before = asked.rounds.items(1)
    run("round", "--csv", str(path), "--unanswered")
    rows = table(path)
    assert [int(row["position"]) for row in rows] == [4, 5, 6]
    refused = run("label", str(path), ok=False)
    assert isinstance(refused.exception, errors.NothingToImport)
    assert asked.rounds.items(1) == before


def test_json_and_csv_hold_the_same_rows(asked, run, tmp_path):
    told = json.loads(run("round", "1", "--json").stdout)
    assert (told["round"]["number"], told["score_unit"]) == (1, score_unit("margin"))
    done = json.loads(run("round", "--csv", str(tmp_path / "round.csv"), "--json").stdout)
    assert (done["images"], done["answered"]) == (6, 3)
    as_text = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in told["items"]
    ]
    assert as_text == table(tmp_path / "round.csv")


def test_the_open_round_is_shown_or_else_the_newest(asked, run):
    asked.rounds.close()
    assert json.loads(run("round", "--json").stdout)["round"]["number"] == 1
    asked.rounds.propose("random", 2)
    assert "Round 2: 2 images" in run("round").output
    assert json.loads(run("round", "1", "--json").stdout)["round"]["number"] == 1


def test_a_round_that_is_not_there_is_refused(run, workbench):
    assert isinstance(run("round", ok=False).exception, errors.NoOpenRound)
    workbench.rounds.propose("random", 2)
    refused = run("round", "7", ok=False)
    assert isinstance(refused.exception, errors.UnknownRound)
    assert "numbers 1 to 1" in str(refused.exception)
    other = run("round", "--csv", "round.xlsx", ok=False)
    assert isinstance(other.exception, errors.InvalidLabelFile)


def test_a_proposed_batch_names_path_and_hash_of_each_image(run, project):
    items = json.loads(run("propose", "--batch", "3", "--json").stdout)["items"]
    assert [hash_file(Path(item["path"])) for item in items] == [item["hash"] for item in items]
    assert {item["hash"] for item in items} <= set(project.truth)
    shown = json.loads(run("round", "--json").stdout)["items"]
    assert [item["image"] for item in items] == [row["image"] for row in shown]
