"""Drawing in proportion to scores: the stated probabilities are the true ones. Turns of the classes."""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from alworkbench.acquisition.balanced import by_turns
from alworkbench.acquisition.sampling import draw, masses, pick, sampled, turn
from alworkbench.acquisition.uncertainty import MARGIN
from tests.factories import generator, normal

KINDS = ("power", "softmax", "softrank")


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=9),
    st.sampled_from(KINDS),
    st.floats(0, 1),
    st.integers(0, 999),
)
def test_each_turn_sums_to_one_over_those_left_and_is_what_was_stated(values, kind, share, seed):
    weights = masses(torch.tensor(values, dtype=torch.float64), kind)
    drawn = draw(weights, len(values), share, generator(seed))
    assert sorted(one.position for one in drawn) == list(range(len(values)))
    left = torch.ones(len(values), dtype=torch.float64)
    for one in drawn:
        chances = turn(weights, left, share)
        assert abs(float(chances.sum()) - 1) < 1e-9
        assert (chances[left == 0] == 0).all()
        assert float(chances[one.position]) == one.probability
        assert one.probability >= share / float(left.sum()) - 1e-12
        left[one.position] = 0


@pytest.mark.parametrize("kind", KINDS)
def test_batches_come_as_often_as_their_probabilities_say(kind):
    """All ordered pairs of a pool of four, against the product of the stated probabilities."""
    weights = masses(torch.tensor([0.9, 0.5, 0.1, 0.0], dtype=torch.float64), kind)
    share, times = 0.2, 4000
    expected = {}
    for pair in itertools.permutations(range(4), 2):
        left = torch.ones(4, dtype=torch.float64)
        product = 1.0
        for position in pair:
            product *= float(turn(weights, left, share)[position])
            left[position] = 0
        expected[pair] = product
    assert abs(sum(expected.values()) - 1) < 1e-9
    source = generator(7)
    counts = Counter(
        tuple(one.position for one in draw(weights, 2, share, source)) for _ in range(times)
    )
    found = [counts[pair] for pair in expected]
    assert chisquare(found, [times * p for p in expected.values()]).pvalue > 1e-3


def test_nothing_of_probability_zero_is_ever_picked():
    chances = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    source = generator(1)
    assert {pick(chances, source) for _ in range(200)} == {1, 3}


def test_power_is_in_proportion_to_the_score_and_scores_that_are_all_zero_draw_evenly():
    values = torch.tensor([1.0, 3.0, 0.0, -1e-9])
    left = torch.ones(4, dtype=torch.float64)
    chances = turn(masses(values, "power"), left, 0.0)
    assert torch.allclose(chances, torch.tensor([0.25, 0.75, 0.0, 0.0], dtype=torch.float64))
    even = turn(masses(torch.zeros(4), "power"), left, 0.0)
    assert torch.allclose(even, torch.full((4,), 0.25, dtype=torch.float64))


def test_softmax_and_rank_do_not_depend_on_the_unit_of_the_score():
    values = normal(1, 20)
    for kind in ("softmax", "softrank"):
        assert torch.allclose(masses(values, kind), masses(1000 * values, kind))


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        sampled(MARGIN, "power", uniform_share=1.5)


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 30))
def test_turns_keep_the_counts_of_the_classes_level(seed, classes, batch):
    values = normal(seed, 30)
    predicted = torch.randint(0, classes, (30,), generator=generator(seed))
    given_counts = torch.randint(0, 4, (classes,), generator=generator(seed + 1)).tolist()
    order = by_turns(values, predicted, given_counts, batch).tolist()
    assert len(set(order)) == len(order) == min(batch, 30)
    counts = list(given_counts)
    queues = {c: [] for c in range(classes)}
    for position in values.argsort(descending=True, stable=True).tolist():
        queues[int(predicted[position])].append(position)
    for position in order:
        c = int(predicted[position])
        able = [other for other in range(classes) if queues[other]]
        assert counts[c] == min(counts[other] for other in able)
        assert queues[c].pop(0) == position  # the best of its class
        counts[c] += 1
