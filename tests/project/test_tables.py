"""A project as tables: the rows of the files, joined by the hash, and copies that change nothing."""

import csv

import numpy as np
import pandas as pd
import pytest

from alworkbench.core.domain import Answer, AnswerKind, Role
from alworkbench.core.errors import NoOpenRound
from alworkbench.project.prediction_file import write_predictions
from alworkbench.project.round_rows import round_rows, write_round
from tests.making_project import AUDIT, POOL


def two_rounds(workbench, answers):
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    workbench.rounds.propose("random", 4)
    answers(workbench, 1)
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


@pytest.fixture
def taught(lived):
    """A closed round of 5 labels, and an open one of 4 with one label and one skip."""
    return lived(two_rounds)


def as_text(frame):
    return [
        {name: "" if pd.isna(value) else str(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_have_the_rows_of_the_files_that_commands_write(taught, tmp_path):
    taught.labels.export(tmp_path / "labels.csv")
    labels = taught.tables.labels()
    labels["recorded_at"] = [each.isoformat() for each in labels["recorded_at"]]
    assert as_text(labels) == read(tmp_path / "labels.csv")
    write_predictions(tmp_path / "found.csv", taught.predictions.of(top=2), 2)
    assert as_text(taught.tables.predictions(top=2)) == read(tmp_path / "found.csv")
    write_round(tmp_path / "round.csv", round_rows(taught.session))
    assert as_text(taught.tables.round()) == read(tmp_path / "round.csv")


def test_images_have_the_answer_that_counts(taught, project):
    images = taught.tables.images()
    assert dict(images["role"].value_counts()) == {"pool": POOL, "audit": AUDIT}
    labelled = images[images["answer"] == "class"]
    assert [project.truth[content] for content in labelled["hash"]] == list(labelled["label"])
    pool = images[images["role"] == "pool"]
    assert dict(pool["answer"].value_counts()) == {"": POOL - 7, "class": 6, "skip": 1}
    assert set(images[images["answer"] != "class"]["label"]) == {""}


def test_the_same_image_has_the_same_hash_in_all_tables(taught):
    images, labels = taught.tables.images(), taught.tables.labels()
    joined = images.merge(taught.tables.predictions(), on="hash")
    assert len(joined) == POOL + AUDIT
    assert list(joined["path_x"]) == list(joined["path_y"])
    counting = images[images["answer"] == "class"].set_index("hash")["label"]
    given = labels[labels["kind"] == "class"].set_index("hash")["label"]
    assert counting.sort_index().equals(given.sort_index())


def test_empty_tables_have_the_same_columns_and_types(workbench, answers):
    before = workbench.tables.labels()[:0]
    assert len(workbench.tables.labels(history=True)) == AUDIT
    workbench.rounds.propose()
    answers(workbench, 1)
    after = workbench.tables.labels()
    assert list(before.columns) == list(after.columns)
    assert before["suggestion_probability"].dtype == after["suggestion_probability"].dtype == float
    nothing = workbench.tables.predictions([])
    assert list(nothing.columns) == list(workbench.tables.predictions().columns)
    assert nothing["probability"].dtype == np.float64


def test_a_change_of_a_table_changes_nothing(taught):
    table = taught.tables.images()
    table.loc[:, "label"] = "owl"
    assert "owl" not in set(taught.tables.images()["label"])


def test_before_the_first_round_there_is_no_table_of_one(workbench):
    with pytest.raises(NoOpenRound):
        workbench.tables.round()


def test_predictions_are_of_the_asked_roles(taught):
    assert set(taught.tables.predictions([Role.AUDIT])["role"]) == {"audit"}
