"""Laws of a weighted sample that stands for a whole population."""

import pytest
import torch

from alworkbench.acquisition.priority_sampling import priorities, priority_sample
from tests.factories import generator

WEIGHTS = torch.tensor([5.0, 0.1, 0.2, 0.1, 1.0, 0.4, 0.3, 0.1, 2.0, 0.2, 0.1, 0.1])
REPEATS = 4000


def estimates(count: int) -> torch.Tensor:
    """What each image stands for, in many draws: the weight of those drawn, none of the others."""
    random = generator(3)
    found = torch.zeros(REPEATS, len(WEIGHTS), dtype=torch.float64)
    for repeat in range(REPEATS):
        rows, least = priority_sample(priorities(WEIGHTS, random), count)
        found[repeat, rows] = WEIGHTS[rows].double().clamp_min(least)
    return found


@pytest.mark.parametrize("count", [1, 3, 6, 11])
def test_every_sum_is_unbiased(count: int) -> None:
    found = estimates(count)
    subsets = torch.cat([torch.eye(12), torch.ones(1, 12), torch.arange(12)[None] % 2]).double()
    values, wanted = found @ subsets.T, subsets @ WEIGHTS.double()
    error = values.std(dim=0) / REPEATS**0.5
    assert bool(((values.mean(dim=0) - wanted).abs() <= 4 * error + 1e-6).all())


def test_a_heavy_image_is_all_but_always_drawn_and_counts_for_itself() -> None:
    weights = torch.ones(2000)
    weights[7] = 1e7
    for seed in range(20):
        rows, least = priority_sample(priorities(weights, generator(seed)), 50)
        assert 7 in rows.tolist()
        assert 1 < least < 1e7


def test_few_images_stand_for_themselves_alone() -> None:
    for count in (12, 13, 100):
        rows, least = priority_sample(priorities(WEIGHTS, generator(1)), count)
        assert rows.tolist() == list(range(12))
        assert least == 0


def test_the_unit_of_weights_says_nothing_and_what_weighs_nothing_comes_last() -> None:
    one = priority_sample(priorities(WEIGHTS, generator(1)), 4)
    other = priority_sample(priorities(8 * WEIGHTS, generator(1)), 4)
    assert one[0].tolist() == other[0].tolist()
    assert other[1] == pytest.approx(8 * one[1])
    nothing = torch.where(torch.arange(12) % 3 == 0, 0.0, WEIGHTS)
    assert {int(row) % 3 for row in priority_sample(priorities(nothing, generator(1)), 8)[0]} <= {
        1,
        2,
    }
