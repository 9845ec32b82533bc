"""Which images are measured, with which logits, and how the classes of a data set are cut in two."""

from dataclasses import replace

import pytest
import torch

from alworkbench.adaptation.temperature_record import ProbabilityPath
from alworkbench.calibration_study.labelled_logits import of_project, of_simulation, split_classes
from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import InvalidClassList, NothingToImport
from alworkbench.posterior.predictive import logit_moments, probit_logits
from tests.making_project import AUDIT, NAMES, closing
from tests.simulated import TEST, toy_data

PLAIN, PROBIT = ProbabilityPath.PLAIN, ProbabilityPath.PROBIT


def test_a_data_set_is_measured_on_its_test_part():
    data = toy_data()
    features = data.table.gather(data.test)
    plain, probit = of_simulation(data, PLAIN), of_simulation(data, PROBIT)
    assert len(plain) == TEST
    assert torch.equal(plain.labels, data.labels[data.test])
    expected = data.head.logits(features, data.class_activations).double()
    torch.testing.assert_close(plain.logits, expected)
    moments = logit_moments(data.head, data.posterior, features, data.class_activations)
    torch.testing.assert_close(probit.logits, probit_logits(moments).double())
    assert plain.source != probit.source


def test_a_project_is_measured_on_its_audit_set(project):
    with closing(project.open()) as workbench:
        found = of_project(workbench, PLAIN)
        assert of_project(workbench, PROBIT).source.path is PROBIT
    assert len(found) == AUDIT
    names = {content: NAMES[k] for content, k in zip(found.hashes, found.labels, strict=True)}
    assert names.items() <= project.truth.items()


def test_a_project_without_audit_labels_is_refused(project, monkeypatch):
    monkeypatch.setattr("alworkbench.calibration_study.labelled_logits.audit_truth", lambda *_: {})
    with closing(project.open()) as workbench, pytest.raises(NothingToImport, match="audit"):
        of_project(workbench, PLAIN)


@pytest.mark.parametrize("seed", range(4))
def test_the_halves_of_the_classes_share_no_class_and_no_image(seed):
    data = of_simulation(toy_data(), PLAIN)
    halves = split_classes(data, seed)
    names = [half.classes.names for half in halves]
    assert sorted(names[0] + names[1]) == sorted(data.classes.names)
    assert sorted(halves[0].hashes + halves[1].hashes) == sorted(data.hashes)
    for half in halves:
        rows = torch.tensor([data.hashes.index(each) for each in half.hashes])
        columns = [data.classes.names.index(each) for each in half.classes.names]
        assert torch.equal(half.logits, data.logits[rows][:, columns])
        called = [half.classes.names[k] for k in half.labels]
        assert called == [data.classes.names[k] for k in data.labels[rows]]
    again = split_classes(data, seed)
    assert [half.hashes for half in again] == [half.hashes for half in halves]


def test_three_classes_have_no_halves():
    data = of_simulation(toy_data(), PLAIN)
    three = ClassList(tuple(LabelClass(name) for name in "abc"))
    with pytest.raises(InvalidClassList, match="3 classes"):
        split_classes(replace(data, classes=three), 0)
