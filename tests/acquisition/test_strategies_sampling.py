"""Sampling in proportion to scores: the stated probabilities are the true ones."""

import itertools
from collections import Counter
from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.acquisition.sampling import pick_probabilities, sample, sample_one, sampler
from alworkbench.acquisition.uncertainty import MARGIN
from tests.acquisition.test_strategies import context
from tests.factories import generator


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=9),
    st.floats(0, 1),
    st.integers(0, 999),
)
def test_probabilities_of_a_turn_sum_to_one_and_are_the_recorded_ones(values, share, seed):
    weights = torch.tensor(values, dtype=torch.float64)
    drawn = sample(weights, len(values), share, generator(seed))
    assert sorted(one.position for one in drawn) == list(range(len(values)))
    left = torch.ones(len(values), dtype=torch.float64)
    for one in drawn:
        chances = pick_probabilities(weights, left, share)
        assert abs(float(chances.sum()) - 1) < 1e-9
        assert (chances[left == 0] == 0).all()
        assert float(chances[one.position]) == one.probability
        assert one.probability >= share / float(left.sum()) - 1e-12
        left[one.position] = 0


def test_batches_are_as_frequent_as_their_probabilities():
    """All ordered pairs of a pool of four, against the product of the stated probabilities."""
    weights = torch.tensor([0.9, 0.5, 0.1, 0.0], dtype=torch.float64)
    share, times = 0.2, 4000
    expected = {}
    for pair in itertools.permutations(range(4), 2):
        left = torch.ones(4, dtype=torch.float64)
        product = 1.0
        for position in pair:
            product *= float(pick_probabilities(weights, left, share)[position])
            left[position] = 0
        expected[pair] = product
    assert abs(sum(expected.values()) - 1) < 1e-9
    source = generator(7)
    counts = Counter(
        tuple(one.position for one in sample(weights, 2, share, source)) for _ in range(times)
    )
    found = [counts[pair] for pair in expected]
    assert chisquare(found, [times * p for p in expected.values()]).pvalue > 1e-3


def test_images_with_probability_zero_are_never_sampled():
    chances = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    source = generator(1)
    assert {sample_one(chances, source) for _ in range(200)} == {1, 3}


def test_probabilities_are_proportional_and_equal_if_all_scores_are_zero():
    weights = torch.tensor([1.0, 3.0, 0.0, 0.0], dtype=torch.float64)
    left = torch.ones(4, dtype=torch.float64)
    found = pick_probabilities(weights, left, 0.0)
    assert torch.allclose(found, torch.tensor([0.25, 0.75, 0.0, 0.0], dtype=torch.float64))
    even = pick_probabilities(torch.zeros(4, dtype=torch.float64), left, 0.0)
    assert torch.allclose(even, torch.full((4,), 0.25, dtype=torch.float64))


def test_negative_scores_count_as_zero():
    asked = context(batch_size=2, settings=AcquisitionSettings(uniform_share=0.0))
    values = torch.full((len(asked.candidates),), -1e-9)
    values[:2] = torch.tensor([1.0, 3.0])
    found = sampler(replace(MARGIN, of=lambda _: values))(asked)
    first = dict(zip(asked.candidates[:2].tolist(), (0.25, 0.75), strict=True))
    assert set(found.rows) == set(first)
    assert found.probabilities == (first[found.rows[0]], 1.0)
