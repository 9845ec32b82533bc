"""Figures of one prediction with their intervals over images."""

import pytest
import torch

from alworkbench.calibration_study.calibration_figures import figures_of, log_loss, mean_intervals
from alworkbench.evaluation.metrics import measure
from tests.factories import generator, normal

LOGITS = 2 * normal(0, 300, 5)
LABELS = torch.multinomial(LOGITS.softmax(-1), 1, generator=generator(1))[:, 0]


def test_the_figures_are_those_of_the_metrics():
    found, expected = figures_of(LOGITS, LABELS), measure(LOGITS.softmax(-1), LABELS)
    for name in ("accuracy", "nlpd", "ece", "brier"):
        figure = getattr(found, name)
        assert figure.value == pytest.approx(getattr(expected, name))
        assert figure.low < figure.value < figure.high
    assert found.ece_floor == expected.ece_floor
    assert found.confidence.value == pytest.approx(float(LOGITS.softmax(-1).amax(-1).mean()))
    assert float(log_loss(LOGITS, LABELS).mean()) == pytest.approx(expected.nlpd)


def test_an_interval_has_the_width_of_a_normal_mean():
    values = 3 * normal(0, 2000, 1)
    (found,) = mean_intervals(values)
    half = 1.96 * float(values.std()) / 2000**0.5
    assert found.low == pytest.approx(found.value - half, abs=0.15 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.15 * half)


def test_values_of_the_same_images_share_the_draws():
    values = normal(1, 300, 1)
    one, twice, shifted = mean_intervals(torch.cat([values, 2 * values, values + 1], dim=1))
    assert twice.low == pytest.approx(2 * one.low)
    assert shifted.high == pytest.approx(one.high + 1)
