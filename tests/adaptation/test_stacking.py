"""Stacking is the one maximum of its objective, and few labels leave it near its prior."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn.functional import one_hot

from alworkbench.adaptation.stacking import mixed, stack


def predictions(count=40, classes=5, seed=0):
    """Logits that know the classes, logits of noise, and the classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    targets = one_hot(labels, classes).double()
    noise = torch.randn(count, 2, classes, generator=generator, dtype=torch.float64)
    noise[:, 0] += 2 * targets
    return noise, targets, torch.rand(count, generator=generator, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("seed", range(4))
def test_the_coefficients_are_those_of_a_slow_general_search(seed):
    logits, targets, weights = predictions(seed=seed)
    mean, deviation = np.array([0.7, 0.03]), np.array([0.3, 0.1])

    def loss(theta):
        stacked = mixed(logits, torch.tensor(theta)).log_softmax(dim=-1)
        fitted = float((weights[:, None] * targets * stacked).sum())
        return -fitted + float((((theta - mean) / deviation) ** 2).sum()) / 2

    slow = minimize(loss, mean, bounds=[(0, None)] * 2, method="L-BFGS-B", options={"ftol": 1e-14})
    found = stack(logits, targets, weights, mean.tolist(), deviation.tolist())
    assert found.tolist() == pytest.approx(slow.x.tolist(), abs=1e-4)


def test_without_labels_the_coefficients_are_the_prior_means():
    logits, targets, weights = predictions(count=0)
    assert stack(logits, targets, weights, [0.7, 0.03], [0.3, 0.1]).tolist() == [0.7, 0.03]


def test_a_predictor_that_says_the_opposite_gets_zero():
    logits, targets, weights = predictions()
    logits[:, 1] = -logits[:, 0]
    assert stack(logits, targets, weights, [1.0, 0.1], [1.0, 1.0])[1] == 0


def test_many_labels_give_noise_next_to_nothing():
    logits, targets, weights = predictions(count=5000)
    found = stack(logits, targets, weights, [1.0, 1.0], [10.0, 10.0])
    assert found[0] > 0.5
    assert found[1] < 0.05


def test_weight_two_counts_a_label_twice():
    logits, targets, _ = predictions(count=6)
    prior = [0.7, 0.03], [0.3, 0.1]
    twice = [torch.cat([part, part]) for part in (logits, targets)]
    once = stack(logits, targets, 2 * torch.ones(6), *prior)
    assert torch.allclose(once, stack(*twice, torch.ones(12), *prior), atol=1e-7)


@pytest.mark.parametrize("scale", [0.1, 20.0])
def test_the_stacked_prediction_does_not_depend_on_the_unit_of_a_predictor(scale):
    logits, targets, weights = predictions()
    one = stack(logits, targets, weights, [0.7, 0.3], [0.3, 0.2])
    other = logits.clone()
    other[:, 1] *= scale
    found = stack(other, targets, weights, [0.7, 0.3 / scale], [0.3, 0.2 / scale])
    assert torch.allclose(mixed(logits, one), mixed(other, found), atol=1e-5)


PRIOR = [0.7, 0.03], [0.3, 0.1]


@pytest.mark.parametrize("signs", [(-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)])
def test_at_zero_no_coefficient_could_raise_the_objective_by_growing(signs):
    """The conditions of an optimum under bounds, for predictors that say the opposite."""
    logits, targets, weights = predictions()
    logits[:, 1] += 3 * targets
    logits = logits * torch.tensor(signs, dtype=torch.float64)[:, None]
    found = stack(logits, targets, weights, *PRIOR)
    misses = weights[:, None] * (targets - mixed(logits, found).softmax(dim=-1))
    mean, deviation = (torch.tensor(part, dtype=torch.float64) for part in PRIOR)
    slope = torch.einsum("nkc,nc->k", logits, misses) - (found - mean) / deviation**2
    assert (found >= 0).all()
    assert (slope[found == 0] <= 0).all()
    assert float(slope[found > 0].abs().sum()) < 1e-4
    assert (found == 0).any()


def test_labels_of_weight_zero_say_nothing():
    logits, targets, weights = predictions()
    assert stack(logits, targets, 0 * weights, *PRIOR).tolist() == pytest.approx(PRIOR[0])


def test_what_all_classes_share_does_not_count():
    logits, targets, weights = predictions()
    shifted = logits + 5 * predictions(seed=9)[0][:, :, :1]
    one, other = (stack(each, targets, weights, *PRIOR) for each in (logits, shifted))
    assert torch.allclose(one, other, atol=1e-7)


def test_a_soft_label_counts_as_its_classes_by_their_shares():
    logits, targets, weights = predictions()
    other = targets.roll(1, dims=1)
    one = stack(logits, 0.75 * targets + 0.25 * other, weights, *PRIOR)
    parts = torch.cat([targets, other]), torch.cat([0.75 * weights, 0.25 * weights])
    assert torch.allclose(one, stack(torch.cat([logits, logits]), *parts, *PRIOR), atol=1e-7)
