"""Predictions of all images: the numbers of the learner, in the order of the images, in a whole file."""

import csv
import math
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
import torch

from alworkbench.core.domain import Role
from alworkbench.core.errors import InvalidPredictionFile
from alworkbench.project import predicted_rows, uncertainty_parts
from alworkbench.project.prediction_file import UNCERTAINTY, columns, write_predictions
from alworkbench.project.uncertainty_parts import uncertainties
from tests.engines.inline_engine import InlineEngine
from tests.making_project import NAMES


def teach(workbench, answers):
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()


@pytest.fixture
def taught(lived):
    return lived(teach)


@pytest.mark.parametrize("block", [3, 1000])
def test_every_image_has_the_classes_of_its_own_logits(taught, monkeypatch, block):
    monkeypatch.setattr(predicted_rows, "BLOCK", block)
    run = taught.predictions.of(top=len(NAMES))
    rows = list(run.rows)
    with taught.session.store.read() as reader:
        images = [pair[1] for role in Role for pair in reader.images.ids_and_hashes(role)]
    assert [each.hash for each in rows] == images
    assert run.images == len(images)
    table = taught.session.engine().table()
    logits = taught.learners.newest().logits(table.gather(table.rows_of(images)))
    wanted = logits.softmax(dim=-1)
    for each, own in zip(rows, wanted, strict=True):
        found = torch.zeros(len(NAMES))
        found[[NAMES.index(name) for name in each.classes]] = torch.tensor(each.probabilities)
        torch.testing.assert_close(found, own, rtol=1e-4, atol=1e-5)
        assert list(each.probabilities) == sorted(each.probabilities, reverse=True)


def test_only_the_asked_roles_are_predicted(taught):
    roles = {each.role for each in taught.predictions.of([Role.AUDIT]).rows}
    assert roles == {Role.AUDIT}
    with pytest.raises(ValueError, match="at least one class"):
        taught.predictions.of(top=0)


@pytest.mark.parametrize("top", [1, 3, len(NAMES) + 2])
def test_csv_and_parquet_hold_the_same_rows(taught, tmp_path, top):
    for name in ("found.csv", "found.parquet"):
        write_predictions(tmp_path / name, taught.predictions.of(top=top), top)
    with (tmp_path / "found.csv").open(newline="") as file:
        plain = list(csv.DictReader(file))
    rows = pq.read_table(tmp_path / "found.parquet").to_pylist()
    assert tuple(rows[0]) == tuple(plain[0]) == columns(top)
    as_text = [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    assert as_text == plain
    run = taught.predictions.of(top=top)
    assert {row["calibration"] for row in rows} == {run.calibration.words}
    assert {row["learner"] for row in rows} == {run.learner_id}


def test_a_failing_run_leaves_the_file_as_it_was(taught, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "found.csv"
    path.write_text("before")
    run = taught.predictions.of()
    monkeypatch.setattr(taught.session.engine().table().__class__, "gather", None)
    with pytest.raises(TypeError):
        write_predictions(path, run, 1)
    assert path.read_text() == "before"
    assert [each.name for each in path.parent.iterdir()] == ["found.csv"]


def test_another_kind_of_file_is_refused_before_anything_is_computed(taught, tmp_path):
    with pytest.raises(InvalidPredictionFile, match=r"csv or \.parquet"):
        write_predictions(tmp_path / "found.xlsx", taught.predictions.of(), 1)


def test_predicting_writes_nothing_to_the_store(taught):
    before = taught.session.folder.database.read_bytes()
    list(taught.predictions.of(top=2).rows)
    assert taught.session.folder.database.read_bytes() == before


def test_the_uncertainty_of_each_image_is_that_of_its_explanation(taught):
    for each in list(taught.predictions.of(uncertainty=True).rows)[::9]:
        explained = taught.explanations.of(each.hash)
        # Both are estimates from draws of the same distribution; the error of fewer draws is larger.
        error = 5 * explained.error * (1 + explained.draws / uncertainty_parts.DRAWS) ** 0.5
        for part in ("total", "epistemic", "aleatoric"):
            found = getattr(each.uncertainty, part)
            assert found == pytest.approx(getattr(explained.uncertainty, part), abs=error)


def test_less_memory_gives_the_same_uncertainty(taught, monkeypatch):
    table, learner = taught.session.engine().table(), taught.learners.newest()
    rows = torch.arange(11).flip(0)
    one = [asdict(each) for each in uncertainties(learner, table, rows, 5)]
    monkeypatch.setattr(uncertainty_parts, "_MEMORY", 128)  # blocks of 1, sums of 4 images
    steps = []
    other = uncertainties(learner, table, rows, 5, lambda *step: steps.append(step[1:]))
    for found, wanted in zip([asdict(each) for each in other], one, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert steps == [(k + 1, 4 * 11) for k in range(4 * 11)]


@pytest.mark.parametrize("top", [1, 3])
def test_an_engine_predicts_the_same_bits(taught, monkeypatch, top):
    monkeypatch.setattr(predicted_rows, "BLOCK", 4)
    monkeypatch.setattr(predicted_rows, "MOST_NUMBERS", 16)
    for module in (predicted_rows, uncertainty_parts):
        monkeypatch.setattr(module, "AT_ONCE", 16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for uncertainty in (False, True):
        engine = InlineEngine()
        run = taught.predictions.of(top=top, uncertainty=uncertainty, engine=engine)
        alone = taught.predictions.of(top=top, uncertainty=uncertainty)
        assert list(run.rows) == list(alone.rows)
        assert engine.groups == -(-run.images // (16 if uncertainty or top == 1 else 4))
        assert engine.sent / engine.groups < 300
    torch.set_num_threads(threads)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_has_the_parts_of_the_uncertainty_where_they_are_asked_for(taught, tmp_path, suffix):
    path = tmp_path / f"found.{suffix}"
    write_predictions(path, taught.predictions.of([Role.AUDIT], 2, uncertainty=True), 2)
    if suffix == "csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(path).to_pylist()
    assert tuple(rows[0]) == columns(2, uncertainty=True)
    for row in rows:
        total, epistemic, aleatoric = (float(row[name]) for name in UNCERTAINTY)
        assert total == pytest.approx(epistemic + aleatoric)
        assert 0 <= epistemic <= total <= math.log(len(NAMES)) + 1e-6
