"""Calibration errors: closed cases of every rule, floors, the Brier score's parts, diagrams."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.evaluation.calibration.bins import BinRule, bin_confidences
from alworkbench.evaluation.calibration.brier import brier_parts, brier_score
from alworkbench.evaluation.calibration.calibration_error import (
    calibration_error,
    calibration_floor,
    overconfidence,
)
from alworkbench.evaluation.calibration.class_wise_error import class_wise_error, class_wise_floor
from alworkbench.evaluation.calibration.reliability_diagram import reliability_diagram
from alworkbench.evaluation.metrics import measure
from tests.factories import generator, normal

RULES = list(BinRule)
SEEDS = st.integers(0, 10_000)


def predictions(seed, images=60, classes=4, decimals=None):
    """Probabilities and labels; with few decimals many are equal."""
    p = (2 * normal(seed, images, classes)).softmax(-1)
    if decimals is not None:
        p = p.round(decimals=decimals) + 1e-3
        p = p / p.sum(-1, keepdim=True)
    return p, torch.randint(classes, (images,), generator=generator(seed + 1))


def top(p, labels):
    confidence, answers = p.max(-1)
    return confidence, answers == labels


@given(SEEDS, st.integers(1, 20), st.sampled_from(RULES), st.booleans())
def test_a_bin_holds_what_lies_between_its_edges(seed, bins, rule, ties):
    confidence = predictions(seed, decimals=1 if ties else None)[0].amax(-1)
    found = bin_confidences(confidence, bins, rule)
    low, high = found.edges[:-1][found.member], found.edges[1:][found.member]
    assert bool(((low < confidence + 1e-12) & (confidence <= high + 1e-12)).all())
    assert int(found.sizes().sum()) == len(confidence)
    assert found.edges[0] == 0
    assert found.edges[-1] == 1
    assert bool((found.edges.diff() > 0).all())


@pytest.mark.parametrize(("images", "bins"), [(60, 7), (100, 10), (3, 5)])
def test_bins_of_equal_mass_differ_by_at_most_one_image(images, bins):
    confidence = torch.rand(images, generator=generator(images), dtype=torch.float64)
    sizes = bin_confidences(confidence, bins, BinRule.EQUAL_MASS).sizes()
    assert len(sizes) == min(images, bins)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_an_edge_belongs_to_the_bin_below(rule, confidence):
    """Two bins: 0.5 is in the lower one, alone beside 0.6; 1.0 is in the upper one with 0.6."""
    given_ = torch.tensor([confidence, confidence, 0.6, 0.6], dtype=torch.float64)
    right = torch.tensor([True, True, False, False])
    found = calibration_error(given_, right, 2, rule)
    apart = ((1 - confidence) + 0.6) / 2
    together = abs(0.5 - (confidence + 0.6) / 2)
    same_bin = rule is BinRule.EQUAL_WIDTH and confidence == 1.0
    assert found == pytest.approx(together if same_bin else apart)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_equal_confidences_have_the_error_of_their_mean(rule, confidence):
    one = torch.full((10,), confidence)
    right = torch.arange(10) < 7
    assert calibration_error(one, right, 15, rule) == pytest.approx(abs(0.7 - confidence))
    assert overconfidence(one, right) == pytest.approx(confidence - 0.7)


@given(SEEDS, st.integers(1, 12), st.sampled_from(RULES), st.booleans())
def test_no_error_depends_on_the_order_of_the_images(seed, bins, rule, ties):
    p, labels = predictions(seed, decimals=1 if ties else None)
    order = torch.randperm(len(p), generator=generator(seed))
    for figure in (
        lambda p, y: calibration_error(*top(p, y), bins, rule),
        lambda p, y: class_wise_error(p, y, bins, rule),
        lambda p, y: brier_parts(p, y, bins, rule).reliability,
    ):
        assert figure(p, labels) == pytest.approx(figure(p[order], labels[order]))


@given(SEEDS, st.integers(1, 12), st.sampled_from(RULES))
def test_one_bin_is_the_smallest_error_and_its_gap_is_the_overconfidence(seed, bins, rule):
    confidence, right = top(*predictions(seed))
    gap = overconfidence(confidence, right)
    assert calibration_error(confidence, right, 1, rule) == pytest.approx(abs(gap))
    assert calibration_error(confidence, right, bins, rule) >= abs(gap) - 1e-12


@given(SEEDS, st.integers(1, 12), st.sampled_from(RULES))
def test_the_class_wise_error_is_the_mean_over_classes(seed, bins, rule):
    p, labels = predictions(seed)
    plain = [calibration_error(p[:, k], labels == k, bins, rule) for k in range(4)]
    assert class_wise_error(p, labels, bins, rule) == pytest.approx(sum(plain) / 4)


@pytest.mark.parametrize("rule", RULES)
def test_a_calibrated_model_is_at_its_floor(rule):
    p = (2 * normal(5, 500, 3)).softmax(-1)
    confidence = p.amax(-1)
    top_errors, class_errors = [], []
    for seed in range(200):
        labels = torch.multinomial(p, 1, generator=generator(seed))[:, 0]
        top_errors.append(calibration_error(*top(p, labels), 15, rule))
        class_errors.append(class_wise_error(p, labels, 15, rule))
    mean = sum(top_errors) / 200
    assert calibration_floor(confidence, rule=rule) == pytest.approx(mean, rel=0.06)
    mean = sum(class_errors) / 200
    assert class_wise_floor(p, rule=rule) == pytest.approx(mean, rel=0.06)


@pytest.mark.parametrize(
    ("images", "bins", "floor"),
    [(50, 10, 0.157), (100, 15, 0.133), (500, 15, 0.060), (2000, 20, 0.034)],
)
def test_the_floor_with_equal_mass_is_that_of_the_table(images, bins, floor):
    """Confidences of Beta(4, 2): means over samples of confidences."""
    random = np.random.default_rng(images)
    found = [
        calibration_floor(
            torch.from_numpy(random.beta(4, 2, images)), bins, rule=BinRule.EQUAL_MASS
        )
        for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(floor, abs=0.003)


@pytest.mark.parametrize("rule", RULES)
def test_an_overconfident_model_is_far_above_its_floor(rule):
    p = normal(6, 2000, 3).softmax(-1)
    labels = torch.multinomial(p, 1, generator=generator(7))[:, 0]
    sharp = (3 * p.log()).softmax(-1)
    floor = calibration_floor(sharp.amax(-1), rule=rule)
    assert calibration_error(*top(sharp, labels), rule=rule) > 5 * floor
    assert class_wise_error(sharp, labels, rule=rule) > 5 * class_wise_floor(sharp, rule=rule)


@given(SEEDS, st.integers(1, 20), st.sampled_from(RULES), st.booleans())
def test_the_parts_of_the_brier_score_sum_to_it(seed, bins, rule, ties):
    p, labels = predictions(seed, decimals=1 if ties else None)
    parts = brier_parts(p, labels, bins, rule)
    assert parts.score == pytest.approx(brier_score(p, labels), abs=1e-12)
    assert brier_score(p, labels) == measure(p, labels).brier
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0


def test_a_prediction_of_the_class_frequencies_has_uncertainty_alone():
    labels = torch.tensor([0, 0, 1, 2, 0, 1])
    shares = torch.bincount(labels).double() / 6
    parts = brier_parts(shares.expand(6, 3), labels)
    assert parts.score == pytest.approx(parts.uncertainty)
    assert parts.uncertainty == pytest.approx(float((shares * (1 - shares)).sum()))
    assert parts.reliability == pytest.approx(0, abs=1e-15)
    assert parts.resolution == pytest.approx(0, abs=1e-15)


def test_equal_probabilities_in_each_bin_leave_nothing_within():
    p = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64).repeat(20, 1)
    labels = torch.randint(2, (40,), generator=generator(8))
    assert brier_parts(p, labels, 10).within == pytest.approx(0, abs=1e-15)


@given(SEEDS, st.integers(1, 15), st.sampled_from(RULES))
def test_the_bars_of_the_diagram_give_the_error(seed, bins, rule):
    confidence, right = top(*predictions(seed))
    bars = [bar for bar in reliability_diagram(confidence, right, bins, rule) if bar.images]
    assert sum(bar.images for bar in bars) == len(confidence)
    gaps = sum(bar.images * abs(bar.accuracy - bar.confidence) for bar in bars)
    wanted = calibration_error(confidence, right, bins, rule)
    assert gaps / len(confidence) == pytest.approx(wanted)
    for bar in bars:
        assert bar.low - 1e-12 <= bar.confidence <= bar.high + 1e-12
        assert bar.accuracy_low - 1e-12 <= bar.accuracy <= bar.accuracy_high + 1e-12
        assert bar.few == (bar.images < 10)


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_bar_is_where_the_score_test_does_not_reject(images, data):
    """Wilson: the p with (accuracy - p)^2 = z^2 p (1 - p) / n, from the roots of this quadratic."""
    correct = data.draw(st.integers(0, images))
    right = torch.arange(images) < correct
    bar = reliability_diagram(torch.full((images,), 0.5), right, 1)[0]
    share, z2 = correct / images, 1.959963984540054**2
    a, b, c = 1 + z2 / images, -(2 * share + z2 / images), share**2
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    assert bar.accuracy_low == pytest.approx((-b - root) / (2 * a), abs=1e-9)
    assert bar.accuracy_high == pytest.approx((-b + root) / (2 * a), abs=1e-9)


def test_an_empty_bar_has_no_values():
    bars = reliability_diagram(torch.full((5,), 0.95), torch.ones(5, dtype=torch.bool), 10)
    assert [bar.images for bar in bars] == [0] * 9 + [5]
    assert bars[0].confidence is bars[0].accuracy is bars[0].accuracy_low is None


@pytest.mark.parametrize("rule", RULES)
def test_nothing_to_bin_is_an_error(rule):
    with pytest.raises(ValueError, match="nothing to bin"):
        bin_confidences(torch.zeros(0), 10, rule)
    with pytest.raises(ValueError, match="at least one bin"):
        bin_confidences(torch.zeros(2), 0, rule)
