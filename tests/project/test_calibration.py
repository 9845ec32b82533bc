"""The probabilities of suggestions are calibrated by the best source there is, and they say which."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch

from alworkbench.adaptation.cross_fitting import FOLDS
from alworkbench.adaptation.temperature import FEWEST_IMAGES, fit_temperature
from alworkbench.adaptation.temperature_record import LogitSource, class_list_digest
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    Calibration,
    CalibrationSource,
    ClassList,
    LabelClass,
    LabelFreeCalibration,
    MetricRecord,
    Role,
)
from alworkbench.evaluation.metrics import measure
from alworkbench.project.calibration import fitted_temperature, logit_source
from alworkbench.project.measurements import audit_answers, audit_truth
from alworkbench.project.support_sets import write_support
from tests.factories import normal
from tests.making_project import NAMES, closing

CLASSES = ClassList(tuple(LabelClass(name, id=k) for k, name in enumerate(NAMES, 1)), id=7)
SOURCE = LogitSource("encoder", class_list_digest(CLASSES))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sure_logits(seed, count=200, factor=3.0):
    """Logits of a model that is `factor` times too sure, and labels that follow the truth."""
    logits = 2 * normal(seed, count, len(NAMES))
    generator = torch.Generator().manual_seed(1000 + seed)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
    return factor * logits, labels


def shares(labels):
    return torch.eye(len(NAMES), dtype=torch.float64)[labels]


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_of_an_audit_set_undoes_too_much_confidence(seed):
    logits, labels = sure_logits(seed)
    found = fitted_temperature(logits, labels, shares(labels), SOURCE, NOW)
    assert found["temperature"]["fit"]["low"] < 3 < found["temperature"]["fit"]["high"]
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
    found = fitted_temperature(logits, labels, shares(labels), SOURCE, NOW)["calibrated"]["nlpd"]
    assert found == pytest.approx(total, rel=1e-9)


def test_a_temperature_of_which_the_logits_tell_nothing_is_strict_json():
    labels = torch.arange(40) % len(NAMES)
    found = fitted_temperature(
        torch.zeros(40, len(NAMES)).double(), labels, shares(labels), SOURCE, NOW
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_few_audit_images_fit_no_temperature():
    logits, labels = sure_logits(0, FEWEST_IMAGES - 1)
    assert fitted_temperature(logits, labels, shares(labels), SOURCE, NOW) == {}
    logits, labels = sure_logits(0, FEWEST_IMAGES)
    found = fitted_temperature(logits, labels, shares(labels), SOURCE, NOW)
    assert found["temperature"]["fit"]["images"] == FEWEST_IMAGES


def test_several_answers_to_an_audit_image_are_one_soft_label():
    logits, labels = sure_logits(2)
    answers = 0.7 * shares(labels) + 0.3 * shares((labels + 1) % len(NAMES))
    found = fitted_temperature(logits, labels, answers, SOURCE, NOW)["temperature"]["fit"]
    alone = fitted_temperature(logits, labels, shares(labels), SOURCE, NOW)["temperature"]["fit"]
    assert found["temperature"] == pytest.approx(fit_temperature(logits, answers).temperature)
    assert found["temperature"] > alone["temperature"]
    assert found["images"] == len(labels)


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

    def measured(self, workbench, images, source=None):
        """Pretend that this many audit images were measured: the project has fewer than are needed.

        The temperature is 2, of the logits of `source`: of the newest learner, if it is not given.
        """
        newest = workbench.measurements.all()[-1]
        logits, labels = sure_logits(1)
        own = source or self.source(workbench)
        found = fitted_temperature(logits, labels, shares(labels), own, NOW)
        found["temperature"]["fit"] |= {"images": images, "temperature": 2.0}
        values = {**newest.values, **found}
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

    def source(self, workbench):
        with workbench.session.store.read() as reader:
            newest = reader.computed.learner()
        return logit_source(
            workbench.learners.newest(),
            newest.id if newest else None,
            workbench.classes.current(),
            workbench.session.engine().encoder_id,
        )

    def test_the_audit_answers_of_two_people_are_shares(self, workbench):
        with workbench.session.store.read() as reader:
            classes = reader.classes.current()
            truth = audit_truth(reader, classes)
            image, content = reader.images.ids_and_hashes(Role.AUDIT)[0]
            assert audit_answers(reader, classes, list(truth)).equal(
                shares(torch.tensor(list(truth.values())))
            )
        other = (truth[content] + 1) % len(NAMES)
        workbench.labels.record(
            Answer(
                event_id="second",
                image_id=image,
                kind=AnswerKind.CLASS,
                annotator="bob",
                class_id=classes.classes[other].id,
            )
        )
        with workbench.session.store.read() as reader:
            after = audit_truth(reader, classes)
            found = audit_answers(reader, classes, list(after))
        assert list(after) == list(truth)
        row = found[list(after).index(content)]
        assert row[truth[content]] == row[other] == 0.5

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

    @pytest.mark.parametrize(
        "change",
        [{"encoder_id": "other"}, {"class_list": "other"}, {"learner": "other"}],
    )
    def test_a_temperature_of_other_logits_is_not_used(self, workbench, answers, change):
        self.rounds(workbench, answers, 1)
        assert workbench.predictions.newest().calibration.source is CalibrationSource.LEFT_OUT
        self.measured(workbench, 50, replace(self.source(workbench), **change))
        assert workbench.predictions.newest().calibration.source is CalibrationSource.LEFT_OUT
        self.measured(workbench, 50)
        assert workbench.predictions.newest().calibration.source is CalibrationSource.AUDIT

    def test_another_learning_method_does_not_use_the_temperature_of_the_first(self, workbench):
        workbench.rounds.propose()
        self.measured(workbench, 50)
        assert workbench.predictions.newest().calibration.source is CalibrationSource.AUDIT
        workbench.learners.change_method("free-weights")
        assert workbench.predictions.newest().calibration == Calibration()

    def test_all_that_people_see_has_the_same_probability_and_says_the_same(
        self, workbench, answers, tmp_path
    ):
        for _ in range(2):
            workbench.rounds.propose()
            answers(workbench, 5)
            workbench.rounds.close()
        self.measured(workbench, 50)
        opened = workbench.rounds.propose()
        wanted = Calibration(CalibrationSource.AUDIT, 50, 2.0)
        item = workbench.rounds.items(opened.id)[0]
        image = workbench.images.get(item.image_id)
        explained = workbench.explanations.of(image.hash)
        run = workbench.predictions.of()
        predicted = {each.hash: each for each in run.rows}[image.hash]
        shown = max(each.probability for each in explained.classes)
        assert shown == pytest.approx(item.suggestion.probability, abs=1e-5)
        assert predicted.probabilities[0] == pytest.approx(item.suggestion.probability, abs=1e-5)
        support = workbench.support_sets.choose(2)
        assert opened.calibration == explained.calibration == run.calibration == wanted
        assert support.calibration == wanted
        write_support(tmp_path / "support.json", support)
        assert json.loads((tmp_path / "support.json").read_text())["calibration"] == wanted.words
        answers(workbench, 1)
        workbench.labels.export(tmp_path / "labels.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
        of_round = [row for row in rows if row["round"] == opened.number]
        assert [row["calibration"] for row in of_round] == [wanted.words]
        assert of_round[0]["suggestion_probability"] == item.suggestion.probability

    def test_the_users_choice_counts_until_an_audit_set_is_measured(self, workbench, answers):
        self.rounds(workbench, answers, 1)
        learner = workbench.learners.newest()
        with workbench.session.store.read() as reader:
            classes = reader.classes.current()
            posterior = workbench.session.posterior_record(reader)
        start = workbench.learners.zero_shot(classes, posterior)
        table = workbench.session.engine().table()
        features = table.gather(torch.arange(len(table)))
        workbench.predictions.choose_calibration(LabelFreeCalibration.RANGE)
        found = workbench.predictions.newest()
        assert found.calibration.source is CalibrationSource.ZERO_SHOT_RANGE
        logits, before = found.logits(features), start.logits(features)
        torch.testing.assert_close(logits.amax(dim=-1), before.amax(dim=-1))
        torch.testing.assert_close(logits.amin(dim=-1), before.amin(dim=-1))
        assert logits.argmax(dim=-1).equal(learner.logits(features).argmax(dim=-1))

        workbench.predictions.choose_calibration(LabelFreeCalibration.CONFIDENCE)
        found = workbench.predictions.newest()
        assert found.calibration.source is CalibrationSource.ZERO_SHOT_CONFIDENCE
        with workbench.session.store.read() as reader:
            pool = [content for _, content in reader.images.ids_and_hashes(Role.POOL)]
        seen = table.gather(table.rows_of(pool))
        confidence = found.probabilities(seen).amax(dim=-1).mean()
        wanted = start.logits(seen).softmax(dim=-1).amax(dim=-1).mean()
        torch.testing.assert_close(confidence, wanted, rtol=1e-4, atol=1e-5)

        self.measured(workbench, 50)
        assert workbench.predictions.newest().calibration.source is CalibrationSource.AUDIT

    def test_the_zero_shot_model_keeps_its_own_confidence(self, workbench):
        workbench.predictions.choose_calibration(LabelFreeCalibration.CONFIDENCE)
        workbench.learners.change_method("free-weights")
        assert workbench.predictions.newest().calibration == Calibration()

    def test_a_choice_survives_reopening(self, project, workbench):
        workbench.predictions.choose_calibration(LabelFreeCalibration.RANGE)
        with closing(project.open()) as again:
            found = again.session.settings().label_free_calibration
        assert found is LabelFreeCalibration.RANGE

    def test_a_reopened_project_says_the_same(self, project, workbench, answers):
        self.rounds(workbench, answers, 1)
        before = workbench.rounds.current().calibration
        with closing(project.open()) as again:
            assert again.rounds.current().calibration == before
