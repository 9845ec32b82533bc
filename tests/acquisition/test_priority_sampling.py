"""Laws of a priority sample, which represents a weighted population."""

import pytest
import torch

from alworkbench.acquisition.priority_sampling import priorities, priority_sample
from tests.factories import generator

WEIGHTS = torch.tensor([5.0, 0.1, 0.2, 0.1, 1.0, 0.4, 0.3, 0.1, 2.0, 0.2, 0.1, 0.1])
REPEATS = 4000


def estimates(count: int) -> torch.Tensor:
    """The weight that each image represents, over many samples; 0 for images that are not sampled."""
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


def test_a_heavy_image_is_almost_always_sampled_and_keeps_its_weight() -> None:
    weights = torch.ones(2000)
    weights[7] = 1e7
    for seed in range(20):
        rows, least = priority_sample(priorities(weights, generator(seed)), 50)
        assert 7 in rows.tolist()
        assert 1 < least < 1e7


def test_all_images_of_a_small_population_are_sampled() -> None:
    for count in (12, 13, 100):
        rows, least = priority_sample(priorities(WEIGHTS, generator(1)), count)
        assert rows.tolist() == list(range(12))
        assert least == 0


def test_the_scale_of_weights_does_not_matter_and_weight_zero_comes_last() -> None:
    one = priority_sample(priorities(WEIGHTS, generator(1)), 4)
    other = priority_sample(priorities(8 * WEIGHTS, generator(1)), 4)
    assert one[0].tolist() == other[0].tolist()
    assert other[1] == pytest.approx(8 * one[1])
    nothing = torch.where(torch.arange(12) % 3 == 0, 0.0, WEIGHTS)
    assert {int(row) % 3 for row in priority_sample(priorities(nothing, generator(1)), 8)[0]} <= {
        1,
        2,
    }
