"""The probability that similarity is uninformative about the class."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS
from alworkbench.acquisition.cluster_assumption import (
    roc_area,
    uninformative_before_labels,
    uninformative_given_labels,
)
from tests.factories import generator, normal

LEAST = DEFAULT_SETTINGS.least_uninformative


def given_labels(seed: int, separation: float, labels: int = 60, prior: float = LEAST) -> float:
    """With four classes whose centres are this far apart, in units of the spread of a class."""
    classes = torch.arange(labels) % 4
    points = normal(seed, labels, 6) + separation * normal(seed + 1, 4, 6)[classes]
    return uninformative_given_labels(normalize(points, dim=-1), classes, prior, DEFAULT_SETTINGS)


def test_labels_decide_whether_similarity_is_informative() -> None:
    for seed in range(5):
        assert given_labels(seed, 3.0) < 0.01 < 0.5 < given_labels(seed, 0.0)
        assert given_labels(seed, 3.0, prior=0.9) < 0.01
        assert given_labels(seed, 0.0) < given_labels(seed, 0.0, prior=0.5)
    assert given_labels(0, 0.0, 8) < given_labels(0, 0.0, 30) < given_labels(0, 0.0, 80)


@pytest.mark.parametrize("labels", [0, 9])
def test_labels_of_one_class_or_none_leave_the_prior(labels: int) -> None:
    directions = normalize(normal(0, labels, 6), dim=-1)
    one_class = torch.zeros(labels, dtype=torch.long)
    assert uninformative_given_labels(directions, one_class, 0.3, DEFAULT_SETTINGS) == 0.3


def test_a_pool_of_few_dimensions_is_crowded_if_there_are_many_classes() -> None:
    """On equally long axes, the mean of rho^2 is exactly one over their number."""

    def before(directions: torch.Tensor, classes: int) -> float:
        return uninformative_before_labels(directions, classes, DEFAULT_SETTINGS)

    for dimensions in (1, 4, 10):
        directions = torch.eye(dimensions, 12).repeat(3, 1)
        assert before(directions, 2) == LEAST
        assert before(directions, 2 * dimensions + 1) == LEAST
        assert before(directions, 8 * dimensions + 1) == pytest.approx(0.75)
    assert before(torch.zeros(3, 4), 100) == LEAST


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    values = torch.randint(0, 5, (40,), generator=generator(1)).double()
    positive = torch.arange(40) % 3 == 0
    pairs = values[positive][:, None] - values[~positive]
    wanted = ((pairs > 0).double() + 0.5 * (pairs == 0)).mean()
    assert roc_area(values, positive) == pytest.approx(float(wanted))
