"""The probabilities of suggestions are calibrated by the best source there is, and they say which."""

import json

import pytest
import torch

from alworkbench.adaptation.cross_fitting import FOLDS
from alworkbench.adaptation.temperature import FEWEST_IMAGES, fit_temperature
from alworkbench.core.domain import (
    Calibration,
    CalibrationSource,
    ClassList,
    LabelClass,
    MetricRecord,
)
from alworkbench.evaluation.metrics import measure
from alworkbench.project.calibration import calibration_of, fitted_temperature
from tests.factories import normal
from tests.making_project import NAMES, closing

CLASSES = ClassList(tuple(LabelClass(name, id=k) for k, name in enumerate(NAMES, 1)), id=7)


def sure_logits(seed, count=200, factor=3.0):
    """Logits of a model that is `factor` times too sure, and labels that follow the truth."""
    logits = 2 * normal(seed, count, len(NAMES))
    generator = torch.Generator().manual_seed(1000 + seed)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
    return factor * logits, labels


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_of_an_audit_set_undoes_too_much_confidence(seed):
    logits, labels = sure_logits(seed)
    found = fitted_temperature(logits, labels, CLASSES)
    assert found["temperature"]["low"] < 3 < found["temperature"]["high"]
    before = measure(logits.softmax(dim=-1), labels)
    assert found["calibrated"]["nlpd"] < before.nlpd
    assert found["calibrated"]["ece"] < before.ece


def test_an_image_has_no_part_in_the_temperature_that_predicts_it():
    logits, labels = sure_logits(0)
    fold = torch.arange(len(labels)) % FOLDS
    total = 0.0
    for k, label in enumerate(labels.tolist()):
        others = fold != fold[k]
        scaled = fit_temperature(logits[others], labels[others]).apply(logits[k])
        total -= float(scaled.log_softmax(dim=-1)[label]) / len(labels)
    found = fitted_temperature(logits, labels, CLASSES)["calibrated"]["nlpd"]
    assert found == pytest.approx(total, rel=1e-9)


def test_a_temperature_of_which_the_logits_tell_nothing_is_strict_json():
    labels = torch.arange(40) % len(NAMES)
    found = fitted_temperature(torch.zeros(40, len(NAMES)).double(), labels, CLASSES)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_few_audit_images_fit_no_temperature():
    logits, labels = sure_logits(0, FEWEST_IMAGES - 1)
    assert fitted_temperature(logits, labels, CLASSES) == {}
    logits, labels = sure_logits(0, FEWEST_IMAGES)
    assert fitted_temperature(logits, labels, CLASSES)["temperature"]["images"] == FEWEST_IMAGES


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration(CalibrationSource.LEFT_OUT, 1),
        Calibration(CalibrationSource.AUDIT, 1200, 1.7),
    ],
)
def test_a_calibration_survives_its_record(calibration):
    assert Calibration.from_record(calibration.as_record()) == calibration


def test_words_say_on_what_probabilities_are_calibrated():
    assert Calibration().words == "not calibrated"
    assert Calibration.from_record(None) == Calibration()
    assert Calibration(CalibrationSource.LEFT_OUT, 1).words == "calibrated on 1 left-out label"
    assert (
        Calibration(CalibrationSource.AUDIT, 1200, 2.0).words == "calibrated on 1,200 audit images"
    )


class TestProject:
    def rounds(self, workbench, answer, count):
        for _ in range(count):
            workbench.rounds.propose()
            answer(workbench, 5)
            workbench.rounds.close()
        return workbench.rounds.propose()

    def measured(self, workbench, images):
        """Pretend that this many audit images were measured: the project has fewer than are needed."""
        newest = workbench.measurements.all()[-1]
        values = {
            **newest.values,
            "temperature": {
                "images": images,
                "temperature": 2.0,
                "class_list_id": workbench.classes.current().id,
                "label_scale": workbench.learners.newest().label_scale,
            },
        }
        record = MetricRecord(
            newest.round_number,
            newest.learner_id,
            newest.labels,
            images,
            values,
            newest.measured_at,
        )
        with workbench.session.store.write() as writer:
            writer.computed.add_metrics(record)

    def test_before_any_label_nothing_is_calibrated(self, workbench):
        workbench.rounds.propose()
        assert workbench.rounds.current().calibration == Calibration()

    def test_labels_calibrate_the_learner_that_left_them_out(self, workbench, answers):
        opened = self.rounds(workbench, answers, 2)
        assert workbench.rounds.current().calibration == Calibration(CalibrationSource.LEFT_OUT, 10)
        assert opened is not None

    def test_an_audit_set_divides_the_logits_of_suggestions(self, workbench, answers):
        for _ in range(2):
            workbench.rounds.propose()
            answers(workbench, 5)
            workbench.rounds.close()
        self.measured(workbench, 50)
        workbench.rounds.propose()
        current = workbench.rounds.current()
        assert current.calibration == Calibration(CalibrationSource.AUDIT, 50, 2.0)
        items = workbench.rounds.items(current.id)
        table = workbench.session.engine().table()
        rows = table.rows_of([workbench.images.get(item.image_id).hash for item in items])
        logits = workbench.learners.newest().logits(table.gather(rows))
        wanted = (logits / 2).softmax(dim=-1).amax(dim=-1)
        found = torch.tensor([item.suggestion.probability for item in items])
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)

    def test_a_temperature_of_another_class_list_or_learner_is_not_used(self, workbench, answers):
        self.rounds(workbench, answers, 1)
        self.measured(workbench, 50)
        learner, measured = workbench.learners.newest(), workbench.measurements.all()
        own = measured[-1].learner_id
        classes = workbench.classes.current()
        assert calibration_of(learner, own, classes, measured).source is CalibrationSource.AUDIT
        other = ClassList(classes.classes, id=classes.id + 1)
        assert calibration_of(learner, own, other, measured).source is CalibrationSource.LEFT_OUT
        assert calibration_of(learner, None, classes, measured).source is CalibrationSource.LEFT_OUT

    def test_another_learning_method_does_not_use_the_temperature_of_the_first(self, workbench):
        workbench.rounds.propose()
        self.measured(workbench, 50)
        classes, measured = workbench.classes.current(), workbench.measurements.all()
        before = calibration_of(workbench.learners.newest(), None, classes, measured)
        assert before.source is CalibrationSource.AUDIT
        workbench.learners.change_method("free-weights")
        after = calibration_of(workbench.learners.newest(), None, classes, measured)
        assert after == Calibration()

    def test_a_reopened_project_says_the_same(self, project, workbench, answers):
        self.rounds(workbench, answers, 1)
        before = workbench.rounds.current().calibration
        with closing(project.open()) as again:
            assert again.rounds.current().calibration == before
