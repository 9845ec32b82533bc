"""The prior that is chosen from labels: its parts, and that the scale of the posterior does not matter."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.head_input_selection import folds_left_out
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.leave_one_out import held_out_changes
from alworkbench.adaptation.left_out_folds import folds_of
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.prior import Prior
from alworkbench.adaptation.prior_selection import choose_prior, left_out_logits
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.encoders.head import Features
from alworkbench.posterior.covariance import LinearisedKernel
from tests.factories import generator, normal, small_model

VARIANCES, SHARES = DEFAULT_SETTINGS.prior_variances, DEFAULT_SETTINGS.residual_shares
MOST, FOLDS = DEFAULT_SETTINGS.most_prior_labels, DEFAULT_SETTINGS.head_input_folds


def labelled_set(images=12, classes=4, seed=0):
    model = small_model(seed=seed, images=images, classes=classes)
    m = model.linearisation()
    targets = one_hot(torch.randint(0, classes, (images,), generator=generator(3)), classes)
    return m, m.images(model.images), targets.double()


def logit_variance(model, images):
    kernel = LinearisedKernel(model.classes, images, images)
    return float(kernel.centred().diagonal(dim1=1, dim2=2).mean())


def test_with_two_classes_the_left_out_logits_are_those_of_leave_one_out():
    m, images, targets = labelled_set(classes=2)
    weights = torch.linspace(0.3, 2, 12, dtype=torch.float64)
    head = ResidualHead.of(images, weights, 20.0)
    kernel = LinearisedKernel(m.classes, images, images, head)
    found = fit(m, images, targets, weights, head)
    changes = held_out_changes(
        kernel, found.probabilities, weights, found.dual, torch.arange(len(targets))
    )
    wanted = (found.logits - changes).log_softmax(dim=-1)
    left = left_out_logits(kernel.centred(), found, weights).log_softmax(dim=-1)
    assert torch.allclose(left, wanted, rtol=1e-6)


def test_widening_and_residual_head_change_the_covariance_within_classes_as_assumed():
    m, images, _ = labelled_set()
    before = LinearisedKernel(m.classes, images, images).centred()
    wide = images.widened(7.0)
    head = ResidualHead.of(wide, None, 20.0)
    after = LinearisedKernel(m.widened(7.0).classes, wide, wide, head).centred()
    wanted = 7.0 * before + (1 - 1 / 4) * head.covariance(wide, wide)
    assert torch.allclose(after, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_the_choice_is_the_same_whatever_the_scale_of_the_posterior(factor):
    m, images, targets = labelled_set()
    ones = torch.ones_like(targets[:, 0])
    one = choose_prior(m, images, targets, ones)
    other = choose_prior(m.widened(factor), images.widened(factor), targets, ones)
    assert other.residual_variance == pytest.approx(one.residual_variance, rel=1e-6)
    assert other.widening * factor == pytest.approx(one.widening, rel=1e-6)
    assert other.embedded == one.embedded


def test_the_learner_is_the_same_whatever_the_strengths():
    model = small_model(images=12, classes=4, dtype=torch.float32)
    targets = labelled_set()[2]
    logits = [
        learn(
            zero_shot(model.head, model.posterior.tempered(rho, rho), model.classes),
            model.images,
            targets,
            residual_head=True,
        ).logits(model.images)
        for rho in (1e-3, 10.0)
    ]
    assert torch.allclose(*logits, atol=1e-3 * float(logits[0].abs().max()))


def test_one_label_gives_the_middle_of_the_grid():
    m, images, targets = labelled_set()
    images, targets = images[torch.tensor([0])], targets[:1]
    chosen = choose_prior(m, images, targets, torch.ones_like(targets[:, 0]))
    variance = math.exp(sum(map(math.log, VARIANCES)) / len(VARIANCES))
    share = sum(SHARES) / len(SHARES)
    assert chosen.residual_variance == pytest.approx(variance * share)
    unit = logit_variance(m, images)
    assert chosen.widening * unit == pytest.approx(variance * (1 - share))


def test_labels_that_teach_nothing_new_choose_a_narrower_prior_of_the_grid():
    m, images, targets = labelled_set(images=40)
    ones = torch.ones(40, dtype=torch.float64)
    chosen = []
    for labels in (targets, one_hot(images.logits.argmax(dim=1), 4).double()):
        prior = choose_prior(m, images, labels, ones)
        variance = prior.widening * logit_variance(m, images) + prior.residual_variance
        assert VARIANCES[0] * (1 - 1e-9) <= variance <= VARIANCES[-1] * (1 + 1e-9)
        assert 0 <= prior.residual_variance / variance <= SHARES[-1]
        chosen.append(variance)
    assert chosen[0] < chosen[1]


def test_the_choice_uses_a_bounded_number_of_labels():
    """Labels between the evenly spaced ones do not matter to it."""
    m, images, targets = labelled_set(images=2 * MOST - 1, classes=2)
    ones = torch.ones_like(targets[:, 0])
    even = torch.arange(0, 2 * MOST - 1, 2)
    assert choose_prior(m, images, targets, ones) == choose_prior(
        m, images[even], targets[even], ones[even]
    )


@pytest.mark.parametrize("count", [2, 4, 13])
@pytest.mark.parametrize("embedded", [False, True])
def test_a_fold_left_out_is_predicted_from_the_other_labels_alone(embedded, count):
    exact = AdaptationSettings(rough_gradient=1e-10)
    m, images, targets = labelled_set(images=count, classes=3)
    weights = torch.linspace(0.3, 2, count, dtype=torch.float64)
    prior = Prior(3.0, 40.0, embedded)
    left = folds_left_out(prior, m, images, targets, weights, exact).log_softmax(dim=-1)
    wide, seen, head = prior.under(m, images, weights)
    fold_of = folds_of(count, min(FOLDS, count))
    for k in range(min(FOLDS, count)):
        out = fold_of == k
        fold, rest = out.nonzero()[:, 0], (~out).nonzero()[:, 0]
        found = fit(wide, seen[rest], targets[rest], weights[rest], head)
        logits = images.logits[fold] + wide.jvp(seen[fold], found.update)
        assert torch.allclose(left[fold], logits.log_softmax(dim=-1), atol=1e-6)


@pytest.mark.parametrize("embedded", [False, True])
def test_the_head_input_that_separates_the_classes_is_chosen_where_names_do_not(embedded):
    """Classes that differ in what the projection sees, or in what it does not; names of neither."""
    classes, count, size = 12, 144, 40
    model = small_model(images=100, classes=classes, image_size=size, text_size=16, embedding=10)
    seen = torch.linalg.qr(model.head.image_projection.T).Q  # P D
    away = torch.linalg.svd(model.head.image_projection).Vh[10:].T  # P (P - D)
    told, other = (seen, away) if embedded else (away, seen)
    truth = torch.arange(count) % classes
    centres = 3 * normal(71, classes, told.shape[1])
    activations = centres[truth] @ told.T + normal(72, count, size)
    activations = activations + 3 * normal(73, count, other.shape[1]) @ other.T
    m = model.linearisation()
    targets = one_hot(truth, classes).double()
    images = m.images(Features(activations))
    ones = torch.ones_like(targets[:, 0])
    assert choose_prior(m, images, targets, ones).embedded == embedded
    telling = replace(images, logits=5.0 * targets)  # of names that say which class it is
    assert not choose_prior(m, telling, targets, ones).embedded


def test_equal_class_names_leave_the_residual_head_to_learn():
    model = small_model(images=8, classes=3, dtype=torch.float32)
    same = model.classes[:1].expand(3, -1).contiguous()
    start = zero_shot(model.head, model.posterior, same)
    targets = one_hot(torch.arange(8) % 3, 3).double()
    learned = learn(start, model.images, targets, residual_head=True)
    assert torch.isfinite(learned.logits(model.images)).all()
    assert (learned.logits(model.images).argmax(dim=1) == targets.argmax(dim=1)).all()
