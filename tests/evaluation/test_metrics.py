"""Metrics at known points, and where intervals and calibration must lie."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.evaluation.metrics import (
    calibration_error,
    calibration_floor,
    calibration_interval,
    macro_f1,
    measure,
)
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


@pytest.mark.parametrize(
    ("images", "floor"), [(50, 0.155), (100, 0.111), (500, 0.052), (2000, 0.026)]
)
def test_the_floor_of_the_calibration_error_is_that_of_the_table(images, floor):
    """Confidences of Beta(4, 2), 15 bins: means over samples of confidences."""
    random = np.random.default_rng(images)
    found = [calibration_floor(torch.from_numpy(random.beta(4, 2, images))) for _ in range(20)]
    assert np.mean(found) == pytest.approx(floor, abs=0.002)


def test_the_floor_is_the_mean_error_of_a_calibrated_model_and_always_the_same():
    confidence = torch.rand(300, generator=generator(3), dtype=torch.float64)
    draws = torch.rand(2000, 300, generator=generator(4), dtype=torch.float64) < confidence
    mean = np.mean([calibration_error(confidence, right) for right in draws])
    assert calibration_floor(confidence) == calibration_floor(confidence)
    assert calibration_floor(confidence) == pytest.approx(mean, rel=0.05)
    assert calibration_floor(torch.ones(7)) == 0.0


def test_the_interval_of_the_calibration_error_holds_a_true_error():
    """A model that is right in 70 % where it says 90 %: its error is 0.2."""
    random = generator(5)
    confidence = torch.full((400,), 0.9)
    held = 0
    for _ in range(100):
        low, high = calibration_interval(
            confidence, torch.rand(400, generator=random) < 0.7, draws=200
        )
        held += low <= 0.2 <= high
    assert 88 <= held <= 100


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(2, 6))
def test_macro_f1_is_that_of_the_classes_that_occur(seed, images, classes):
    random = generator(seed)
    answers = torch.randint(classes, (images,), generator=random)
    labels = torch.randint(classes, (images,), generator=random)
    wanted = f1_score(labels, answers, average="macro", zero_division=0)
    assert macro_f1(answers, labels, classes) == pytest.approx(wanted)
