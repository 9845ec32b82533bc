"""Commands that write predictions and choose what calibrates them."""

import csv
import json

from tests.making_project import AUDIT, NAMES, POOL, closing


def test_predictions_of_all_images_are_written_with_their_calibration(run, tmp_path):
    file = tmp_path / "found.csv"
    said = run("predict", str(file), "--top", "2").output
    assert f"{POOL + AUDIT} images" in said
    assert "Probabilities: not calibrated." in said
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == POOL + AUDIT
    assert {row["calibration"] for row in rows} == {"not calibrated"}
    assert {row["class"] for row in rows} <= set(NAMES)
    assert all(float(row["probability"]) >= float(row["probability_2"]) for row in rows)
    found = json.loads(run("predict", str(file), "--of", "audit", "--json").stdout)
    assert found["images"] == AUDIT
    assert found["calibration"]["source"] == "none"


def test_uncertainty_is_said_to_be_of_the_draws_and_not_calibrated(run, tmp_path):
    file = tmp_path / "found.csv"
    said = " ".join(run("predict", str(file), "--of", "audit", "--uncertainty").output.split())
    assert "of the model's own draws. It is not calibrated" in said
    assert "epistemic_nats" in file.read_text().splitlines()[0]


def test_another_kind_of_file_is_refused(run, tmp_path):
    found = run("predict", str(tmp_path / "found.txt"), ok=False)
    assert found.exit_code != 0
    assert not (tmp_path / "found.txt").exists()


def test_the_choice_of_a_calibration_is_stored_and_told(run):
    said = run("calibrate", "use", "zero-shot-range").output
    assert "not compared with labels" in " ".join(said.split())
    assert "not calibrated" in run("calibrate", "use", "none").output
    found = json.loads(run("calibrate", "use", "zero-shot-confidence", "--json").stdout)
    assert found["choice"] == "zero-shot-confidence"
    assert found["calibration"]["temperature"] > 0


def test_giving_up_left_out_labels_is_noted(run, project, answers):
    with closing(project.open()) as workbench:
        workbench.rounds.propose()
        answers(workbench, 5)
        workbench.rounds.close()
    said = " ".join(run("calibrate", "use", "zero-shot-range").output.split())
    assert "Note: the probabilities were calibrated on 5 left-out labels" in said
    assert "Note" not in run("calibrate", "use", "none").output
