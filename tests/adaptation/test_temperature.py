"""Temperatures: Newton finds the optimum, weights and soft labels mean what they say, intervals cover."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.adaptation.temperature import TEMPERATURE_BOUNDS, fit_temperature
from tests.factories import generator, normal

FLAT = AdaptationSettings(temperature_deviation=1e9)
KINDS = ("drawn", "right", "wrong", "tiny", "huge", "even", "one image", "soft", "weighted")


def drawn(logits, temperature, seed=1):
    chances = (logits / temperature).softmax(dim=-1)
    return torch.multinomial(chances, 1, generator=generator(seed))[:, 0]


def problem(kind, seed):
    """Logits, labels and weights of one kind."""
    images = 1 if kind == "one image" else 5 + seed % 40
    logits = 3 * normal(seed, images, 2 + seed % 5)
    labels, weights = drawn(logits, 0.3 + seed % 4, seed), None
    if kind == "right":
        labels = logits.argmax(-1)
    if kind == "wrong":
        labels = logits.argmin(-1)
    if kind in ("tiny", "huge"):
        logits = logits * (0.02 if kind == "tiny" else 300)
    if kind == "even":
        logits = torch.zeros_like(logits)
    if kind == "soft":
        labels = normal(seed + 1, *logits.shape).softmax(-1)
    if kind == "weighted":
        weights = normal(seed + 2, images).exp()
    return logits, labels, weights


def slow_optimum(logits, labels, weights, deviation=0.5):
    """The lowest of bounded searches from many short intervals: no derivative, no bracket."""
    z = logits.numpy()
    q = labels.numpy() if labels.is_floating_point() else np.eye(z.shape[1])[labels.numpy()]
    w = np.ones(len(z)) if weights is None else weights.numpy()
    effective = w.sum() ** 2 / (w**2).sum()

    def loss(u):
        scaled = np.exp(u) * (z - z.max(axis=1, keepdims=True))
        log_p = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        nlpd = -(w * (q * log_p).sum(axis=1)).sum() / w.sum()
        return nlpd + u**2 / (2 * effective * deviation**2)

    edges = np.linspace(-math.log(20), math.log(20), 13)
    found = [
        minimize_scalar(loss, bounds=pair, method="bounded", options={"xatol": 1e-10})
        for pair in pairwise(edges)
    ]
    return min(found, key=lambda each: each.fun), loss


@pytest.mark.parametrize("kind", KINDS)
def test_newton_equals_a_slow_direct_search(kind):
    for seed in range(30):
        logits, labels, weights = problem(kind, seed)
        found = fit_temperature(logits, labels, weights)
        wanted, loss = slow_optimum(logits, labels, weights)
        assert found.converged
        assert loss(-math.log(found.temperature)) <= wanted.fun + 1e-12
        assert math.log(found.temperature) == pytest.approx(-wanted.x, abs=1e-6)


def test_the_lower_of_two_valleys_is_found():
    """With tiny logits and all labels right there is a valley near 1 and a lower one far from it."""
    logits = torch.tensor([[1.0, 0.0]]).repeat(300, 1) * 0.05
    found = fit_temperature(logits, torch.zeros(300, dtype=torch.long))
    assert found.temperature == TEMPERATURE_BOUNDS[0]
    assert found.clamped
    assert any("bound of the search" in warning for warning in found.warnings)


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(truth):
    logits = 3 * normal(0, 8000, 6)
    found = fit_temperature(logits, drawn(logits, truth))
    error = abs(torch.tensor(found.temperature / truth).log())
    assert error < 4 * found.standard_error_log
    assert found.nlpd_after <= found.nlpd_before
    assert not found.clamped


def test_the_standard_error_is_that_of_the_fisher_information():
    """With many labels of one true temperature; the interval is then that of a normal distribution."""
    logits = 3 * normal(0, 8000, 6)
    found = fit_temperature(logits, drawn(logits, 2.0))
    scaled = (logits / found.temperature).softmax(-1)
    mean = (scaled * logits).sum(-1)
    variance = (scaled * logits.square()).sum(-1) - mean.square()
    fisher = 1 / math.sqrt(float(variance.sum()) / found.temperature**2)
    assert found.standard_error_log == pytest.approx(math.sqrt(found.dispersion) * fisher)
    assert 1 <= found.dispersion < 1.1
    width = math.log(found.high / found.low)
    assert width == pytest.approx(2 * 1.96 * found.standard_error_log, rel=0.01)


@given(st.integers(0, 1000), st.sampled_from(KINDS))
def test_the_predicted_class_never_changes(seed, kind):
    logits, labels, weights = problem(kind, seed)
    found = fit_temperature(logits, labels, weights)
    assert torch.equal(found.apply(logits).argmax(-1), logits.argmax(-1))
    assert TEMPERATURE_BOUNDS[0] <= found.low <= found.temperature <= found.high
    assert found.high <= TEMPERATURE_BOUNDS[1]


def test_two_equal_answers_equal_one_hard_label():
    logits = 2 * normal(3, 40, 5)
    one, other = drawn(logits, 1.5), drawn(logits, 1.5, seed=2)
    answers = [torch.nn.functional.one_hot(each, 5).double() for each in (one, one, other)]
    hard = fit_temperature(logits, one)
    assert fit_temperature(logits, (answers[0] + answers[1]) / 2) == hard
    split = fit_temperature(logits, (answers[0] + answers[2]) / 2)
    both = fit_temperature(logits.repeat(2, 1), torch.cat([one, other]), settings=FLAT)
    flat = fit_temperature(logits, (answers[0] + answers[2]) / 2, settings=FLAT)
    assert flat.temperature == pytest.approx(both.temperature)
    assert split.images == 40


def test_weight_two_moves_the_temperature_as_a_repeated_label_does():
    logits = 2 * normal(4, 30, 4)
    labels = drawn(logits, 2.0)
    weights = torch.ones(30, dtype=torch.float64)
    weights[:5] = 2
    weighted = fit_temperature(logits, labels, weights, FLAT)
    repeated = fit_temperature(
        torch.cat([logits, logits[:5]]), torch.cat([labels, labels[:5]]), settings=FLAT
    )
    assert weighted.temperature == pytest.approx(repeated.temperature)
    assert weighted.nlpd_after == pytest.approx(repeated.nlpd_after)
    assert weighted.images == 30
    assert weighted.effective_images == pytest.approx(35**2 / (25 + 5 * 4))
    assert weighted.high / weighted.low > repeated.high / repeated.low


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_a_constant_factor_of_the_weights_changes_nothing(seed, factor):
    logits, labels, weights = problem("weighted", seed)
    one = fit_temperature(logits, labels, weights)
    other = fit_temperature(logits, labels, factor * weights)
    for field in dataclasses.fields(one):
        assert getattr(one, field.name) == pytest.approx(getattr(other, field.name), rel=1e-6)


def test_a_weight_of_zero_leaves_an_image_out():
    logits = 2 * normal(5, 50, 4)
    labels = drawn(logits, 2.0)
    weights = (torch.arange(50) < 40).double()
    left_out = fit_temperature(logits[:40], labels[:40])
    found = fit_temperature(logits, labels, weights)
    for field in dataclasses.fields(found):
        assert getattr(found, field.name) == pytest.approx(getattr(left_out, field.name))


def test_the_interval_holds_the_truth_in_about_95_of_100_cases():
    random, held = generator(6), 0
    for _ in range(200):
        logits = 2 * torch.randn(50, 6, generator=random, dtype=torch.float64)
        temperature = math.exp(0.5 * float(torch.randn(1, generator=random)))
        labels = torch.multinomial((logits / temperature).softmax(-1), 1, generator=random)[:, 0]
        found = fit_temperature(logits, labels)
        held += found.low <= temperature <= found.high
    assert 0.93 * 200 <= held <= 0.98 * 200


def test_labels_that_one_temperature_does_not_suit_are_dispersed():
    """Half of the images are far too confident, half are not confident enough."""
    logits = 3 * normal(7, 400, 5)
    labels = torch.cat([drawn(logits[:200], 6.0), drawn(logits[200:], 0.7)])
    assert fit_temperature(logits, labels).dispersion > 1.3


def test_labels_that_tell_nothing_leave_the_whole_range():
    found = fit_temperature(torch.zeros(40, 3), torch.zeros(40, dtype=torch.long))
    assert found.temperature == 1.0
    assert found.standard_error_log == math.inf
    assert (found.low, found.high) == TEMPERATURE_BOUNDS


def test_labels_that_are_all_right_leave_the_lower_end_open():
    logits = 3 * normal(8, 60, 4)
    found = fit_temperature(logits, logits.argmax(-1))
    assert found.low == TEMPERATURE_BOUNDS[0]
    assert found.temperature < found.high < 1


def test_a_small_or_undecided_fit_says_so():
    logits = 3 * normal(9, 2000, 4)
    labels = drawn(logits, 3.0)
    assert fit_temperature(logits, labels).warnings == ()
    few = fit_temperature(logits[:10], labels[:10], torch.ones(10, dtype=torch.float64))
    assert any("fitted to 10 labelled images" in warning for warning in few.warnings)
    assert any("worth 10.0 equally weighted" in warning for warning in few.warnings)
    even = fit_temperature(logits, drawn(logits, 1.0))
    assert any("holds 1" in warning for warning in even.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": torch.zeros(0, 3), "labels": torch.zeros(0, dtype=torch.long)}, "found none"),
        ({"logits": torch.full((2, 3), math.inf)}, "finite logits"),
        ({"labels": torch.tensor([0, 3])}, "from 0 to 2"),
        ({"labels": torch.tensor([-1, 0])}, "from 0 to 2"),
        ({"labels": torch.ones(2, 3)}, "distribution"),
        ({"weights": torch.tensor([1.0, -1.0])}, "not negative"),
        ({"weights": torch.zeros(2)}, "not all 0"),
        ({"weights": torch.tensor([1.0, math.nan])}, "finite"),
    ],
)
def test_values_that_are_no_labels_logits_or_weights_are_refused(change, message):
    given_ = {"logits": torch.zeros(2, 3), "labels": torch.tensor([0, 1]), **change}
    with pytest.raises(ValueError, match=message):
        fit_temperature(**given_)
