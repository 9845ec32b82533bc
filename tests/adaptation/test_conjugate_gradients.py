"""Inexact, blocked and mixed-precision solves end where a dense factorisation does."""

import pytest
import torch
from torch.nn.functional import log_softmax, one_hot

from alworkbench.adaptation import label_gram
from alworkbench.adaptation.conditioning import condition
from alworkbench.adaptation.conjugate_gradients import (
    block_conjugate_gradients,
    conjugate_gradients,
)
from alworkbench.adaptation.label_gram import LabelGram, softmax_curvature_roots
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.newton import Slope, newton_direction
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import Linearisation, WeightUpdate
from tests.factories import generator, normal, small_model


def many_classes(strength=1e-2):
    """60 labels of 15 classes: 900 pairs, above what is factorised."""
    model = small_model(images=60, classes=15, image_size=20, text_size=16, embedding=12)
    targets = one_hot(torch.randint(0, 15, (60,), generator=generator(3)), 15).double()
    m = Linearisation.build(model.head, model.posterior.tempered(strength, strength), model.classes)
    return m, m.images(model.images), targets


def positive_definite(size, rank, seed=0):
    root = normal(seed, size, rank)
    return torch.eye(size, dtype=torch.float64) + 50 * root @ root.T / rank


def test_each_column_is_solved_with_its_own_matrix():
    matrices = torch.stack([positive_definite(40, 10, seed) for seed in range(3)])
    right = normal(9, 40, 3)
    found = conjugate_gradients(
        lambda v: torch.einsum("kij,jk->ik", matrices, v), right, 1e-12, 200
    )
    wanted = torch.stack([torch.linalg.solve(a, b) for a, b in zip(matrices, right.T, strict=True)])
    assert torch.allclose(found.values, wanted.T, atol=1e-9)


def test_a_block_needs_few_iterations_where_few_eigenvalues_are_large():
    matrix, right = positive_definite(300, 40), normal(9, 300, 50)
    found = block_conjugate_gradients(lambda v: matrix @ v, right, 1e-10, 100)
    assert torch.allclose(matrix @ found.values, right, atol=1e-7)
    assert found.iterations <= 3


def test_a_block_survives_right_hand_sides_that_depend_on_each_other():
    matrix = positive_definite(60, 30)
    one = normal(9, 60, 3)
    right = torch.cat([one, one @ normal(2, 3, 3), torch.zeros(60, 1, dtype=torch.float64)], dim=1)
    found = block_conjugate_gradients(lambda v: matrix @ v, right, 1e-9, 100)
    assert torch.allclose(matrix @ found.values, right, atol=1e-6)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-10])
def test_a_solve_reaches_its_tolerance(tolerance):
    m, images, targets = many_classes()
    found = fit(m, images, targets)
    weights = torch.linspace(0.2, 3, 60, dtype=torch.float64)
    gram = LabelGram(LinearisedKernel(m.classes, images, images), found.probabilities, weights)
    right = normal(7, 10, 60, 15)
    residual = gram.apply(gram.solve(right, tolerance)) - right
    assert (residual.flatten(1).norm(dim=1) <= tolerance * right.flatten(1).norm(dim=1)).all()


def test_products_with_the_roots_are_those_of_the_matrices():
    m, images, _ = many_classes()
    p = images.logits.softmax(dim=-1)
    weights = torch.linspace(0.2, 3, 60, dtype=torch.float64)
    gram = LabelGram(LinearisedKernel(m.classes, images, images), p, weights)
    roots = weights.sqrt()[:, None, None] * softmax_curvature_roots(p)
    vectors = normal(3, 2, 60, 15)
    assert torch.allclose(gram.apply_root(vectors), torch.einsum("ica,kia->kic", roots, vectors))
    assert torch.allclose(
        gram.apply_root_transpose(vectors), torch.einsum("ica,kic->kia", roots, vectors)
    )


@pytest.mark.parametrize("strength", [1e-4, 1e-2, 1.0])
def test_learning_ends_at_the_optimum_however_weak_the_posterior(strength):
    m, images, targets = many_classes(strength)
    found = fit(m, images, targets)
    assert found.gradient <= 1e-10
    update = WeightUpdate(
        found.update.image.clone().requires_grad_(), found.update.text.clone().requires_grad_()
    )
    logits = images.logits + m.jvp(images, update)
    loss = -(targets * log_softmax(logits, -1)).sum() + 0.5 * (
        update.image.square().sum() + update.text.square().sum()
    )
    loss.backward()
    # in whitened coordinates a unit of a dual weight moves this much:
    steepness = (
        float(LinearisedKernel(m.classes, images, images).diagonal().diagonal(dim1=1, dim2=2).max())
        ** 0.5
    )
    assert update.image.grad.abs().max() < 1e-7 * 60 * steepness
    assert update.text.grad.abs().max() < 1e-7 * 60 * steepness


def test_a_fit_explains_the_labels_no_worse_than_the_zero_shot_model():
    m, images, targets = many_classes()
    found = fit(m, images, targets)
    before = float(-(targets * images.logits.log_softmax(-1)).sum())
    assert found.objective <= before


def test_draws_do_not_depend_on_the_solver(monkeypatch):
    m, images, targets = many_classes()
    found = fit(m, images, targets)
    draws = m.sample(16, generator(1))
    iterated = condition(m, images, found.probabilities, draws, generator(2))
    monkeypatch.setattr(label_gram, "DENSE_LIMIT", 10_000)
    factorised = condition(m, images, found.probabilities, draws, generator(2))
    own = m.jvp(images, draws).flatten(1).norm(dim=1)
    for one, other in ((iterated, factorised),):
        apart = m.jvp(images, one) - m.jvp(images, other)
        assert (apart.flatten(1).norm(dim=1) <= 1e-2 * own).all()
        assert (one.image - other.image).abs().max() <= 1e-2
    again = condition(m, images, found.probabilities, draws, generator(2))
    assert torch.equal(again.image, factorised.image)


def test_draws_of_a_weighted_learner_use_its_weights():
    """A label of weight two leaves less uncertainty about its image than one of weight one."""
    model = small_model(images=6, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(0.1, 0.1), model.classes)
    targets = torch.full((6, 4), 0.25, dtype=torch.float64)
    ones = torch.ones(6, dtype=torch.float64)
    m = start.model
    spreads = [
        float(
            m.jvp(m.images(model.images), learn(start, model.images, targets, w).draws(400, 1))
            .var(dim=0)
            .sum()
        )
        for w in (ones, 5 * ones, 25 * ones)
    ]
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize("embedded", [False, True])
def test_the_residual_head_adds_to_the_kernel(embedded):
    """The dense covariance is that of the products, and the optimum has no gradient."""
    m, images, targets = many_classes()
    weights = torch.linspace(0.2, 3, 60, dtype=torch.float64)
    term = ResidualHead.of(images, weights, 100.0, embedded=embedded)
    centred = term.centred_inputs(images)
    length = (weights @ centred.square().sum(dim=-1) / weights.sum()).sqrt()
    assert term.weight_variance * length**2 == pytest.approx(100.0)
    assert (weights @ centred).abs().max() < 1e-9
    kernel = LinearisedKernel(m.classes, images, images, term)
    vectors = normal(3, 60, 15)
    dense = kernel.dense().reshape(900, 900)
    assert torch.allclose(kernel.matvec(vectors).flatten(), dense @ vectors.flatten(), atol=1e-7)
    found = fit(m, images, targets, weights, term)
    learned = found.update.residual_embedded if embedded else found.update.residual  # C X
    own = (learned / term.weight_variance**0.5).requires_grad_()  # standard normal
    update = term.add_to(found.update, term.weight_variance**0.5 * own)
    logits = images.logits + m.jvp(images, update)
    loss = -(weights[:, None] * log_softmax(logits, -1) * targets).sum()
    (loss + 0.5 * own.square().sum()).backward()
    assert torch.allclose(logits, found.logits, atol=1e-6)
    assert (
        own.grad.abs().max() <= 1e-6 * (term.weight_variance**0.5 * centred).abs().sum(dim=0).max()
    )


@pytest.mark.parametrize("embedded", [False, True])
def test_copies_of_one_image_give_the_residual_head_no_weight(embedded):
    m, images, targets = many_classes()
    copies = images[torch.zeros(7, dtype=torch.long)]
    term = ResidualHead.of(copies, None, 100.0, embedded=embedded)
    assert term.weight_variance == 0
    assert fit(m, copies, targets[:7], None, term).gradient <= 1e-10


def test_any_truncated_newton_step_lowers_the_quadratic_model():
    m, images, targets = many_classes()
    kernel = LinearisedKernel(m.classes, images, images)
    p, weights = images.logits.softmax(dim=-1), torch.linspace(0.2, 3, 60, dtype=torch.float64)
    residual = weights[:, None] * (targets - p)
    slope = Slope.of(kernel, residual)
    gram = LabelGram(kernel, p, weights)
    wanted = residual - gram.apply_root(
        gram.solve(gram.apply_root_transpose(kernel.matvec(residual))[None])[0]
    )  # Woodbury's identity
    values = []
    for share in (0.9, 0.5, 0.1, 1e-8):
        step = newton_direction(kernel, p, weights, residual, slope, share)
        moved = kernel.matvec(step)
        bent = gram.apply_root_transpose(moved).square().sum() + (step * moved).sum()
        values.append(float(bent / 2 - (residual * moved).sum()))
    assert values == sorted(values, reverse=True)
    assert values[0] < 0
    assert torch.allclose(moved, kernel.matvec(wanted), atol=1e-5)


@pytest.mark.parametrize("strength", [1e-8, 1e-3])
def test_contradicting_answers_to_one_image_have_an_optimum_too(strength):
    """Their covariance is singular: what differs between the copies moves no logit."""
    m, images, targets = many_classes(strength)
    images, targets = images[torch.arange(6)], targets[:6]
    rows = torch.arange(6).repeat_interleave(3)
    answers = torch.stack([targets, targets, targets.roll(1, 1)], dim=1).reshape(18, -1)
    found = fit(m, images[rows], answers)
    assert found.gradient <= 1e-10
    thrice = torch.full((6,), 3.0, dtype=torch.float64)
    soft = fit(m, images, answers.reshape(6, 3, -1).mean(dim=1), thrice)
    assert torch.allclose(found.probabilities[::3], soft.probabilities, atol=1e-6)


def test_the_guess_does_not_change_the_optimum():
    m, images, targets = many_classes()
    alone = fit(m, images, targets)
    guessed = fit(m, images, targets, guess=normal(4, 60, 15))
    assert torch.allclose(alone.dual, guessed.dual, atol=1e-7)
