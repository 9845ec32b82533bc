"""Laws of the LURE estimate, exact where they can be."""

from dataclasses import replace
from itertools import permutations

import pytest

from alworkbench.evaluation.lure import estimate, of_round, pooled, weights
from tests.bench.lure import synthetic

SCORES = (0.05, 0.2, 0.15, 0.3, 0.3)
LOSSES = (0.0, 1.0, 0.0, 0.4, 1.0)


@pytest.mark.parametrize("drawn", [1, 2, 3, 4, 5])
def test_the_estimate_is_exactly_unbiased_whatever_the_probabilities(drawn):
    """Over every order of drawing, weighted by its probability: the mean loss of all images."""
    expected = naive = total = 0.0
    for order in permutations(range(5), drawn):
        left, chance, q = 1.0, 1.0, []
        for image in order:
            q.append(SCORES[image] / left)
            chance *= q[-1]
            left -= SCORES[image]
        found = estimate([LOSSES[i] for i in order], [min(1.0, each) for each in q], 5)
        expected += chance * found.value
        naive += chance * found.naive
        total += chance
    assert total == pytest.approx(1)
    assert expected == pytest.approx(sum(LOSSES) / 5)
    if drawn < 5:
        assert abs(naive - sum(LOSSES) / 5) > 0.03


def test_uniform_draws_have_weight_one():
    assert weights([1 / (9 - m) for m in range(4)], 9) == pytest.approx([1.0] * 4)
    found = estimate([1.0, 0.0, 0.0, 1.0], [1 / (9 - m) for m in range(4)], 9)
    assert found.value == found.naive == 0.5
    assert found.effective == pytest.approx(4)


def test_all_images_drawn_leave_no_uncertainty():
    found = estimate([1.0, 0.0, 0.0], [0.7, 0.9, 1.0], 3)
    assert (found.value, found.low, found.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_the_interval_is_honest_where_all_labels_agree():
    found = estimate([0.0] * 10, [1 / (500 - m) for m in range(10)], 500)
    assert found.value == found.low == 0
    assert 0.2 < found.high < 0.4


@pytest.mark.parametrize(("power", "uniform"), [(1.0, 0.0), (2.0, 0.0), (2.0, 0.3)])
def test_in_simulation_the_corrected_estimate_has_no_bias_and_the_naive_one_has(power, uniform):
    found = synthetic(power, uniform)
    assert abs(found.lure_bias) < 1
    assert abs(found.naive_bias) > 20
    assert found.covered >= 0.93


@pytest.mark.parametrize(("q", "images"), [([0.0], 3), ([1.2], 3), ([0.5, 0.5], 1)])
def test_what_was_not_drawn_is_refused(q, images):
    with pytest.raises(ValueError):
        weights(q, images)


def test_through_the_service_only_rounds_with_probabilities_have_an_estimate(workbench, answers):
    found = {}
    for strategy in ("random", "margin", "power-margin"):
        opened = workbench.rounds.propose(strategy, 5)
        answers(workbench, 5)
        workbench.rounds.close()
        (closed,) = [r for r in workbench.rounds.all() if r.id == opened.id]
        items = workbench.rounds.items(opened.id)
        found[strategy] = of_round(closed, items)
    assert found["margin"] is None
    assert found["random"].accuracy.images == 40
    assert found["power-margin"].accuracy.images == 30
    assert found["random"].learner_id is None
    curve = workbench.audit.report()
    assert [each.strategy for each in curve.drawn] == ["random", "power-margin"]
    assert curve.pooled == pooled(curve.drawn)
    assert curve.pooled.labels == 10
    first = {i.position: i for i in items}
    gone = [replace(i, label=None) if i.position == 2 else i for i in first.values()]
    assert of_round(closed, gone).accuracy.labels == 2
