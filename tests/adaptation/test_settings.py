"""The tuned numbers of learning as one value: recorded, checked, and used where they are passed."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import find_method
from tests.factories import small_model

OTHER = AdaptationSettings(prior_variances=(3.0,), residual_shares=(0.25,), head_input_folds=3)


@pytest.mark.parametrize("settings", [DEFAULT_SETTINGS, OTHER])
def test_a_record_through_json_gives_the_same_settings(settings):
    assert AdaptationSettings.from_record(json.loads(json.dumps(settings.record()))) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prior_variances", ()),
        ("prior_variances", (30.0, 0.0)),
        ("residual_shares", (1.0,)),
        ("head_input_folds", 1),
        ("rough_gradient", 0.0),
        ("class_prior_pseudo_labels", -1.0),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        replace(DEFAULT_SETTINGS, **{name: value})


def test_a_grid_of_one_prior_gives_that_prior():
    model = small_model(images=12, classes=3, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    targets = one_hot(torch.arange(12) % 3, 3).double()
    learned = find_method("free-weights")(start, model.images, targets, settings=OTHER)
    assert learned.state.prior.residual_variance == pytest.approx(0.25 * 3.0)


def test_more_pseudo_labels_flatten_the_class_prior():
    model = small_model(images=12, classes=3, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    targets = one_hot(torch.zeros(12, dtype=torch.long), 3).double()
    spreads = []
    for pseudo_labels in (1.0, 100.0):
        settings = AdaptationSettings(class_prior_pseudo_labels=pseudo_labels)
        method = find_method("linearised")
        learned = method(start, model.images, targets, pool=model.images, settings=settings)
        spreads.append(float(learned.state.log_class_prior.std()))
    assert spreads[1] < spreads[0]
