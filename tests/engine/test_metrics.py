"""Metrics at known points, and where intervals and calibration must lie."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.metrics import calibration_error, measure, wilson_interval
from tests.factories import generator, normal


def test_a_perfect_prediction_and_an_even_one():
    labels = torch.tensor([0, 1, 2])
    perfect = measure(torch.eye(3), labels)
    assert (perfect.accuracy, perfect.balanced_accuracy, perfect.brier, perfect.ece) == (1, 1, 0, 0)
    assert perfect.nlpd == 0
    even = measure(torch.full((3, 3), 1 / 3), labels)
    assert even.nlpd == pytest.approx(math.log(3))
    assert even.brier == pytest.approx(2 / 3)


def test_balanced_accuracy_leaves_out_classes_that_do_not_occur():
    found = measure(torch.eye(3)[[0, 0, 1]], torch.tensor([0, 1, 1]))
    assert found.recall == (1.0, 0.5, None)
    assert found.balanced_accuracy == 0.75


@given(st.integers(1, 500), st.data())
def test_the_wilson_interval_holds_the_share_and_lies_in_zero_one(count, data):
    right = data.draw(st.integers(0, count))
    low, high = wilson_interval(right, count)
    assert 0 <= low <= right / count + 1e-12
    assert right / count - 1e-12 <= high <= 1


def test_a_calibrated_model_has_a_small_calibration_error():
    confidence = torch.rand(200_000, generator=generator(0), dtype=torch.float64)
    right = torch.rand(200_000, generator=generator(1), dtype=torch.float64) < confidence
    assert calibration_error(confidence, right) < 0.005
    assert calibration_error(torch.ones(4), torch.zeros(4, dtype=torch.bool)) == 1.0


@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_bin_edges_belong_to_the_bin_below(confidence):
    one = torch.full((2,), confidence)
    assert calibration_error(one, torch.tensor([True, True]), bins=2) == pytest.approx(
        1 - confidence
    )


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(normal(0, 0, 3).softmax(-1), torch.zeros(0, dtype=torch.long))
