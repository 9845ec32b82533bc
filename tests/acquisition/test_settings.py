"""The tuned numbers as one value: what is recorded comes back, and impossible numbers are refused."""

import json
from dataclasses import replace

import pytest

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings

OTHER = AcquisitionSettings(
    weak_shrinkage=(2.0, 3.0), label_noise=0.1, most_targets=7, uniform_share=0.25
)


@pytest.mark.parametrize("settings", [DEFAULT_SETTINGS, OTHER])
def test_a_record_through_json_gives_the_same_settings(settings):
    assert AcquisitionSettings.from_record(json.loads(json.dumps(settings.record()))) == settings


def test_missing_fields_of_a_record_have_defaults_and_others_are_ignored():
    found = AcquisitionSettings.from_record({"label_noise": 0.1, "of_another_version": 3})
    assert found == replace(DEFAULT_SETTINGS, label_noise=0.1)
    assert AcquisitionSettings.from_record({}) == DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uniform_share", 1.5),
        ("least_uninformative", -0.1),
        ("label_noise", 0.0),
        ("most_targets", 0),
        ("weak_shrinkage", (-1.0, 2.0)),
        ("strong_shrinkage", (0.0, 0.0)),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        replace(DEFAULT_SETTINGS, **{name: value})
