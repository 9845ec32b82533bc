"""Class Gaussians of the pool: equal to the direct formulas, and indifferent to what must not matter."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS
from alworkbench.adaptation.pool_gaussians import (
    MEAN_IMAGES,
    SPHERICAL_SHARE,
    GaussianImages,
    fit_gaussians,
)
from alworkbench.encoders.head import Features

MOST = 6
"""Directions in these tests."""


def islands(each=30, classes=3, size=12, seed=0, spread=0.3):
    """Unlabelled images in one island for each class, one labelled image of each, and the classes."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(classes, size, generator=generator, dtype=torch.float64)
    labels = torch.arange(classes).repeat(each + 1)
    noise = torch.randn(len(labels), size, generator=generator, dtype=torch.float64)
    images = centres[labels] + spread * noise
    return Features(images[classes:]), Features(images[:classes]), labels[classes:]


def fitted(
    unlabelled, labelled, targets=None, logits=None, weights=None, settings=DEFAULT_SETTINGS
):
    classes = 3
    targets = one_hot(torch.arange(len(labelled)), classes).double() if targets is None else targets
    logits = torch.zeros(len(unlabelled), classes).double() if logits is None else logits
    weights = torch.ones(len(labelled), dtype=torch.float64) if weights is None else weights
    seen = GaussianImages.of(unlabelled, labelled, MOST)
    return fit_gaussians(seen, logits, targets, weights, settings)


def centred(values):
    return values - values.mean(dim=-1, keepdim=True)


def test_one_iteration_is_the_direct_formula_of_every_image():
    unlabelled, labelled, _ = islands()
    logits = torch.randn(len(unlabelled), 3, generator=torch.Generator().manual_seed(1)).double()
    found = fitted(
        unlabelled, labelled, logits=logits, settings=replace(DEFAULT_SETTINGS, pool_iterations=1)
    )
    x = GaussianImages.of(unlabelled, labelled, MOST).x
    shares = torch.cat([logits.softmax(dim=-1), one_hot(torch.arange(3), 3).double()])
    means = (shares.T @ x) / (shares.sum(dim=0) + MEAN_IMAGES)[:, None]
    apart = x[:, None] - means  # N C d
    within = torch.einsum("nc,ncd,nce->de", shares, apart, apart) / len(x)
    size = len(within)
    within = (1 - SPHERICAL_SHARE) * within
    within += SPHERICAL_SHARE / (1 - SPHERICAL_SHARE) * within.trace() / size * torch.eye(size)
    inverse = torch.linalg.inv(within)
    assert torch.allclose(found.weights, means @ inverse, atol=1e-8)
    offsets = -torch.einsum("cd,de,ce->c", means, inverse, means) / 2
    assert torch.allclose(found.offsets, offsets, atol=1e-8)


def test_one_label_for_each_island_tells_all_images_apart():
    unlabelled, labelled, truth = islands()
    found = fitted(unlabelled, labelled).log_likelihoods(unlabelled)
    assert (found.argmax(dim=-1) == truth).double().mean() > 0.97


def test_the_order_of_the_images_does_not_matter():
    unlabelled, labelled, _ = islands()
    order = torch.randperm(len(unlabelled), generator=torch.Generator().manual_seed(2))
    one, other = fitted(unlabelled, labelled), fitted(unlabelled[order], labelled)
    values = [found.log_likelihoods(unlabelled) for found in (one, other)]
    assert torch.allclose(*values, atol=1e-6)


def test_a_rotation_of_the_activations_does_not_matter():
    unlabelled, labelled, _ = islands()
    turn = torch.linalg.qr(
        torch.randn(12, 12, generator=torch.Generator().manual_seed(3)).double()
    ).Q
    turned = [Features(each.activations @ turn) for each in (unlabelled, labelled)]
    one = fitted(unlabelled, labelled).log_likelihoods(unlabelled)
    assert torch.allclose(one, fitted(*turned).log_likelihoods(turned[0]), atol=1e-6)


def test_the_length_of_an_activation_does_not_matter():
    unlabelled, labelled, _ = islands()
    scale = torch.linspace(0.1, 9, len(unlabelled)).double()[:, None]
    longer = Features(unlabelled.activations * scale)
    one, other = fitted(unlabelled, labelled), fitted(longer, labelled)
    assert torch.allclose(one.weights.abs(), other.weights.abs(), atol=1e-6)


def test_a_label_of_weight_zero_is_left_out():
    unlabelled, labelled, _ = islands()
    targets = one_hot(torch.arange(3), 3).double()
    seen = GaussianImages.of(unlabelled, labelled, MOST)
    few = replace(seen, x=seen.x[:-1])
    logits, ones = torch.zeros(len(unlabelled), 3).double(), torch.ones(3).double()
    ignored = fit_gaussians(
        seen, logits, targets, ones.index_fill(0, torch.tensor([2]), 0.0), DEFAULT_SETTINGS
    )
    absent = fit_gaussians(few, logits, targets[:-1], ones[:-1], DEFAULT_SETTINGS)
    assert torch.allclose(ignored.weights, absent.weights, atol=1e-9)


def test_an_image_is_one_image_however_many_people_labelled_it():
    unlabelled, labelled, _ = islands()
    weights = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
    one, other = fitted(unlabelled, labelled), fitted(unlabelled, labelled, weights=weights)
    assert torch.equal(one.weights, other.weights)


def test_copies_of_one_image_say_nothing():
    copies = Features(torch.ones(5, 12, dtype=torch.float64))
    assert GaussianImages.of(copies, copies[:2], MOST) is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_pool_smaller_than_the_number_of_directions_is_enough(count):
    unlabelled, labelled, _ = islands()
    found = fitted(unlabelled[:count], labelled).log_likelihoods(unlabelled)
    assert torch.isfinite(found).all()


def test_wide_activations_have_the_same_directions_as_a_full_decomposition():
    unlabelled, labelled, _ = islands(size=60)
    coordinates = GaussianImages.of(unlabelled, labelled, MOST).coordinates
    unit = torch.nn.functional.normalize(
        torch.cat([unlabelled.activations, labelled.activations]), dim=-1
    )
    full = torch.linalg.svd(unit - unit.mean(dim=0), full_matrices=False).Vh[:MOST]
    assert torch.allclose(
        (coordinates.directions @ full.T).square().sum(), torch.tensor(6.0).double()
    )


def test_an_image_is_answered_alike_alone_and_in_a_block():
    unlabelled, labelled, _ = islands()
    found = fitted(unlabelled, labelled)
    whole = found.log_likelihoods(unlabelled)
    assert torch.allclose(found.log_likelihoods(unlabelled[7:9]), whole[7:9])


def test_classes_without_any_spread_within_are_no_special_case():
    """Every image is a copy of one of two: the covariance within the classes is zero."""
    pair = islands()[0].activations[:2]
    unlabelled = Features(pair.repeat(20, 1))
    targets = one_hot(torch.arange(2), 3).double()
    for dtype in (torch.float32, torch.float64):
        images = unlabelled.to("cpu", dtype)
        found = fitted(images, images[:2], targets).log_likelihoods(images)
        assert torch.isfinite(found).all()
        assert (found[:, :2].argmax(dim=-1) == torch.arange(40) % 2).all()


def test_the_order_of_the_classes_is_that_of_the_result():
    unlabelled, labelled, truth = islands()
    targets, logits = one_hot(torch.arange(3), 3).double(), one_hot(truth, 3).double()
    order = torch.tensor([2, 0, 1])
    one = fitted(unlabelled, labelled, targets, logits).log_likelihoods(unlabelled)
    other = fitted(unlabelled, labelled, targets[:, order], logits[:, order])
    assert torch.allclose(other.log_likelihoods(unlabelled), one[:, order], atol=1e-9)


@pytest.mark.parametrize("size", [7, 300])
def test_many_copies_of_a_few_images_are_told_apart_in_single_precision(size):
    """Rounding of the sums is larger than what the class means leave of the covariance."""
    few = Features(islands(size=size)[1].activations.float())
    which = torch.arange(3).repeat_interleave(2700)
    logits = 30 * one_hot(which, 3).float()
    seen = GaussianImages.of(few[which], few, DEFAULT_SETTINGS.pool_directions)
    found = fit_gaussians(seen, logits, torch.eye(3), torch.ones(3), DEFAULT_SETTINGS)
    assert found.log_likelihoods(few).argmax(dim=-1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("unlabelled", "labelled"), [(1, 1), (2, 0), (4, 1)])
def test_there_are_fewer_directions_than_images(unlabelled, labelled):
    pool, taught, _ = islands()
    found = fitted(pool[:unlabelled], taught[:labelled])
    assert len(found.coordinates.directions) == unlabelled + labelled - 1
    assert torch.isfinite(found.log_likelihoods(pool)).all()


def test_one_image_alone_says_nothing():
    one, none = islands()[0][:1], islands()[0][:0]
    assert GaussianImages.of(one, none, MOST) is None
