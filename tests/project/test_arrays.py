"""Arrays for scikit-learn: the features of the project, what its answers teach, and its own model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alworkbench.core.domain import Answer, AnswerKind, Goal, Role
from alworkbench.core.errors import FeaturesMissing
from tests.making_project import NAMES


def twelve_labels(workbench, answers):
    workbench.rounds.propose("random", 12)
    answers(workbench, 12)


@pytest.fixture
def taught(lived):
    return lived(twelve_labels)


def hashes(workbench, role):
    with workbench.session.store.read() as reader:
        return [content for _, content in reader.images.ids_and_hashes(role)]


def test_features_are_those_of_the_images_in_their_order(workbench):
    wanted = hashes(workbench, Role.AUDIT)[::-1]
    table = workbench.session.engine().table()
    found = workbench.arrays.features(wanted)
    rows = table.gather(table.rows_of(wanted))
    assert found.dtype == np.float32
    assert np.array_equal(found[:, : rows.activations.shape[1]], rows.activations.numpy())
    with pytest.raises(FeaturesMissing):
        workbench.arrays.features([*wanted, "0" * 64])


def test_the_classifier_predicts_before_a_fit_as_the_zero_shot_model(workbench):
    wanted = hashes(workbench, Role.POOL)
    model = workbench.classifier()
    assert list(model.classes_) == list(NAMES)
    table = workbench.session.engine().table()
    with workbench.session.store.read() as reader:
        classes = reader.classes.current()
        record = workbench.session.posterior_record(reader)
    start = workbench.learners.zero_shot(classes, record)
    logits = start.logits(table.gather(table.rows_of(wanted)))
    found = model.predict_proba(workbench.arrays.features(wanted))
    assert found == pytest.approx(logits.softmax(dim=-1).numpy(), rel=1e-4, abs=1e-5)


def test_a_fit_to_the_labels_gives_the_learner_of_the_project(taught):
    with taught.session.store.write() as writer:
        writer.save_settings(
            replace(writer.settings(), adaptation="free-weights", goal=Goal.ACCURACY)
        )
    taught.rounds.close()
    labelled = taught.arrays.labelled()
    model = taught.classifier().fit(labelled.X, labelled.y, labelled.sample_weight)
    wanted = hashes(taught, Role.AUDIT)
    table = taught.session.engine().table()
    logits = taught.learners.newest().logits(table.gather(table.rows_of(wanted)))
    found = model.predict_proba(taught.arrays.features(wanted))
    assert found == pytest.approx(logits.softmax(dim=-1).numpy(), abs=2e-3)


def test_the_labelled_rows_are_the_answers_and_never_the_audit_set(taught, project):
    labelled = taught.arrays.labelled()
    assert list(labelled.y) == [project.truth[content] for content in labelled.hashes]
    assert np.array_equal(labelled.X, taught.arrays.features(list(labelled.hashes)))
    assert set(labelled.hashes) <= set(hashes(taught, Role.POOL))
    assert len(labelled.hashes) == 12
    assert set(labelled.sample_weight) == {1.0}


def test_annotators_who_disagree_give_a_row_for_each_class(taught):
    first = taught.rounds.items(1)[0]
    classes = taught.classes.current()
    other = next(c for c in classes.classes if c.id != first.label.class_id)
    answer = Answer("bob", first.image_id, AnswerKind.CLASS, "bob", class_id=other.id)
    taught.labels.record(answer)
    labelled = taught.arrays.labelled()
    own = labelled.hashes == taught.images.get(first.image_id).hash
    assert sorted(labelled.y[own]) == sorted(
        c.name for c in classes.classes if c.id in (other.id, first.label.class_id)
    )
    assert list(labelled.sample_weight[own]) == [1, 1]
    assert labelled.sample_weight.sum() == 13


def test_the_unlabelled_rows_are_images_of_the_pool_without_a_label(taught):
    labelled = taught.arrays.labelled()
    rest = [each for each in hashes(taught, Role.POOL) if each not in set(labelled.hashes)]
    assert np.array_equal(taught.arrays.unlabelled(), taught.arrays.features(rest))
    model = taught.classifier()
    model.fit(labelled.X, labelled.y, labelled.sample_weight, pool=taught.arrays.unlabelled())
    assert set(model.predict(labelled.X)) <= set(NAMES)


def test_before_any_answer_the_labelled_rows_are_empty(workbench):
    labelled = workbench.arrays.labelled()
    assert labelled.X.shape == (0, workbench.arrays.unlabelled().shape[1])
    assert [len(part) for part in labelled] == [0, 0, 0, 0]


def test_parameters_of_the_classifier_are_passed_on(workbench):
    assert workbench.classifier(random_state=5).get_params()["random_state"] == 5
    assert torch.equal(
        workbench.classifier().classes,
        workbench.session.engine().class_activations(workbench.classes.current()),
    )
