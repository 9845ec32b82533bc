"""Confidence without labels: adapted models become as confident as their zero-shot models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.adaptation.temperature import TEMPERATURE_BOUNDS
from alworkbench.adaptation.zero_shot_calibration import (
    match_zero_shot_confidence,
    scale_to_zero_shot_range,
)
from tests.factories import normal

SEEDS = st.integers(0, 10_000)


def confidence(logits):
    return float(logits.softmax(-1).amax(-1).mean())


@given(SEEDS, st.floats(0.3, 4.0), st.floats(0.3, 4.0))
def test_both_models_are_equally_confident_on_average(seed, one, other):
    adapted, zero_shot = one * normal(seed, 30, 5), other * normal(seed + 1, 30, 5)
    found = match_zero_shot_confidence(adapted, zero_shot)
    assert not found.clamped
    assert confidence(found.apply(adapted)) == pytest.approx(confidence(zero_shot), abs=1e-8)
    assert found.confidence == pytest.approx(found.zero_shot_confidence, abs=1e-8)


@given(SEEDS, st.floats(0.1, 10.0))
def test_a_model_that_is_the_zero_shot_model_but_for_a_factor_is_restored(seed, factor):
    zero_shot = 2 * normal(seed, 30, 5)
    found = match_zero_shot_confidence(factor * zero_shot, zero_shot)
    assert found.temperature == pytest.approx(factor, rel=1e-6)
    assert torch.allclose(scale_to_zero_shot_range(factor * zero_shot, zero_shot), zero_shot)


def test_a_confidence_out_of_reach_is_clamped():
    even, sure = torch.zeros(4, 3), 1e4 * torch.eye(4, 3)
    low, high = TEMPERATURE_BOUNDS
    assert match_zero_shot_confidence(even, sure).temperature == low
    found = match_zero_shot_confidence(sure, even)
    assert (found.temperature, found.clamped) == (high, True)
    assert found.confidence > found.zero_shot_confidence


@given(SEEDS)
def test_each_row_has_the_range_of_its_zero_shot_row_and_keeps_its_order(seed):
    adapted, zero_shot = 5 * normal(seed, 20, 6) + 3, normal(seed + 1, 20, 6)
    scaled = scale_to_zero_shot_range(adapted, zero_shot)
    assert torch.allclose(scaled.amax(-1), zero_shot.amax(-1))
    assert torch.allclose(scaled.amin(-1), zero_shot.amin(-1))
    assert torch.equal(scaled.argsort(-1), adapted.argsort(-1))
    shifted = scale_to_zero_shot_range(2 * adapted - 7, zero_shot)
    assert torch.allclose(shifted, scaled)


def test_rows_of_equal_logits_stay_equal():
    zero_shot = normal(0, 3, 4)
    assert torch.equal(
        scale_to_zero_shot_range(torch.ones(3, 4).double(), zero_shot),
        zero_shot.amin(-1, keepdim=True).expand(3, 4),
    )
    even = scale_to_zero_shot_range(zero_shot, torch.ones(3, 4).double())
    assert torch.equal(even, torch.ones(3, 4).double())


@pytest.mark.parametrize("function", [match_zero_shot_confidence, scale_to_zero_shot_range])
def test_logits_of_other_classes_are_refused(function):
    with pytest.raises(Exception, match=r"same images and classes|Type-check error"):
        function(torch.zeros(2, 3), torch.zeros(2, 4))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="found none"):
        match_zero_shot_confidence(torch.zeros(0, 3), torch.zeros(0, 3))
