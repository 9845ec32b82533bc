"""Risk-coverage curves against plain counting, and conformal sets against their guarantee."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.evaluation.calibration.conformal import conformal_sets
from alworkbench.evaluation.calibration.risk_coverage import risk_coverage
from tests.factories import generator, normal

SPLITS = 1000


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_the_risk_is_the_error_rate_of_the_most_confident(seed, images):
    confidence = torch.rand(images, generator=generator(seed), dtype=torch.float64)
    right = torch.rand(images, generator=generator(seed + 1)) < 0.7
    found = risk_coverage(confidence, right)
    for j in range(1, images + 1):
        kept = confidence.topk(j).indices
        assert float(found.risk[j - 1]) == pytest.approx(1 - float(right[kept].double().mean()))
        assert float(found.coverage[j - 1]) == pytest.approx(j / images)
    assert found.area >= found.best_area - 1e-12
    assert risk_coverage(right.double(), right).excess_area == pytest.approx(0, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 30))
def test_equal_confidences_count_as_the_mean_over_their_orders(seed, images):
    right = torch.rand(images, generator=generator(seed)) < 0.7
    ties = torch.randint(3, (images,), generator=generator(seed + 1)).double()
    found = risk_coverage(ties, right)
    areas = []
    for k in range(60):
        noise = torch.rand(images, generator=generator(k), dtype=torch.float64)
        areas.append(risk_coverage(ties + 0.5 * noise, right).area)
    spread = torch.tensor(areas).std() / math.sqrt(60)
    assert found.area == pytest.approx(sum(areas) / 60, abs=float(5 * spread) + 1e-9)
    order = torch.randperm(images, generator=generator(seed))
    assert risk_coverage(ties[order], right[order]).area == pytest.approx(found.area)


def test_confidence_that_says_nothing_has_the_error_rate_as_its_area():
    right = torch.arange(20) % 4 > 0
    assert risk_coverage(torch.ones(20), right).area == pytest.approx(0.25)
    with pytest.raises(ValueError, match="found none"):
        risk_coverage(torch.zeros(0), torch.zeros(0, dtype=torch.bool))


def population(seed, images=4000, classes=5):
    """An overconfident model, better at some classes than at others."""
    truth = torch.randint(classes, (images,), generator=generator(seed))
    aimed = torch.nn.functional.one_hot(truth, classes) * (1 + truth[:, None] / 2)
    logits = 3 * (aimed + normal(seed + 1, images, classes))
    return logits.softmax(-1), truth


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_the_coverage_over_many_splits_is_as_guaranteed(alpha):
    """Between 1 - alpha and 1 - alpha + 1 / (n + 1), before the most probable class is added."""
    p, labels = population(0)
    count, random = 60, generator(1)
    bare, whole = [], []
    for _ in range(SPLITS):
        order = torch.randperm(len(p), generator=random)
        sets = conformal_sets(p[order[:count]], labels[order[:count]], alpha)
        test, truth = p[order[count : count + 500]], labels[order[count : count + 500]]
        whole.append(sets.sets(test).gather(1, truth[:, None]).double().mean())
        threshold = float(sets.thresholds[0])
        bare.append((1 - test.gather(1, truth[:, None]) <= threshold).double().mean())
    mean, error = float(torch.stack(bare).mean()), float(torch.stack(bare).std()) / SPLITS**0.5
    assert 1 - alpha - 4 * error <= mean <= 1 - alpha + 1 / (count + 1) + 4 * error
    assert float(torch.stack(whole).mean()) >= mean
    low, high = sets.coverage_range(count)
    inside = torch.stack(bare)
    share = float(((inside >= low - 0.02) & (inside <= high + 0.02)).double().mean())
    assert share > 0.95


def test_by_class_every_class_is_covered():
    p, labels = population(2)
    random, classes = generator(3), p.shape[1]
    covered = torch.zeros(classes, SPLITS, dtype=torch.float64)
    marginal = torch.zeros(classes, SPLITS, dtype=torch.float64)
    for split in range(SPLITS):
        order = torch.randperm(len(p), generator=random)
        fitted, tested = order[:200], order[200:1000]
        for by_class, out in ((True, covered), (False, marginal)):
            sets = conformal_sets(p[fitted], labels[fitted], 0.2, by_class)
            held = sets.sets(p[tested]).gather(1, labels[tested][:, None])[:, 0]
            for k in range(classes):
                out[k, split] = held[labels[tested] == k].double().mean()
    errors = 4 * covered.std(dim=1) / SPLITS**0.5
    assert bool((covered.mean(dim=1) >= 0.8 - errors).all())
    assert float(marginal.mean(dim=1).min()) < 0.75, "the plain sets fail the hardest class"


@given(st.integers(0, 10_000), st.floats(0.02, 0.6), st.booleans())
def test_sets_are_never_empty_and_grow_with_the_promise(seed, alpha, by_class):
    p, labels = population(seed, 40, 4)
    small = conformal_sets(p, labels, alpha, by_class).sets(p)
    large = conformal_sets(p, labels, alpha / 2, by_class).sets(p)
    assert bool(small.any(dim=-1).all())
    assert bool(small.gather(1, p.argmax(-1, keepdim=True)).all())
    assert bool((large | ~small).all())


@pytest.mark.parametrize(("images", "finite"), [(8, False), (9, True)])
def test_too_few_images_give_every_class(images, finite):
    """(1 - alpha) / alpha = 9 images are needed for alpha = 0.1."""
    p, labels = population(4, images, 3)
    sets = conformal_sets(p, labels, 0.1)
    assert bool(sets.thresholds.isfinite().all()) == finite
    assert bool(sets.sets(p).all()) or finite
    assert (sets.coverage_range(images)[1] < 1) == finite


def test_a_class_without_labels_is_in_every_set():
    p, labels = population(5, 100, 3)
    p, labels = p[labels != 2], labels[labels != 2]
    sets = conformal_sets(p, labels, 0.1, by_class=True)
    assert sets.images[2] == 0
    assert bool(sets.sets(p)[:, 2].all())


def test_an_alpha_that_is_no_probability_is_refused():
    p, labels = population(6, 20, 3)
    for alpha in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            conformal_sets(p, labels, alpha)
