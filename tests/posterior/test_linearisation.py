"""The linearised model against derivatives of the real one; learning and draws against dense forms."""

import pytest
import torch
from torch.func import jvp
from torch.nn.functional import log_softmax, one_hot

from alworkbench.adaptation import learning, map_fit
from alworkbench.adaptation.conditioning import condition
from alworkbench.adaptation.label_gram import LabelGram
from alworkbench.adaptation.learner import LaplaceState, zero_shot
from alworkbench.adaptation.learning import LearnedWeights, learn, restore
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.predictive_variance import logit_variance
from alworkbench.adaptation.prior import Prior
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.encoders.head import Head
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import WeightUpdate
from tests.factories import generator, normal, small_model


@pytest.fixture(params=["plain", "residuals", "siglip"])
def model(request):
    return small_model(
        residuals=request.param != "plain",
        loss="siglip" if request.param == "siglip" else "infonce",
    )


def dense_jacobian(m, images):
    """(n C) x (D P + D Q) from the whitened updates of a basis."""
    zero = m.sample(1, generator(0))
    shapes = zero.image.shape[1:], zero.text.shape[1:]
    columns = []
    for side, shape in enumerate(shapes):
        for k in range(shape.numel()):
            parts = [torch.zeros(1, *s, dtype=torch.float64) for s in shapes]
            parts[side].view(-1)[k] = 1
            columns.append(m.jvp(images, WeightUpdate(*parts))[0].reshape(-1))
    return torch.stack(columns, dim=1)


def labels_for(model, count, seed=3):
    classes = len(model.classes)
    return one_hot(torch.randint(0, classes, (count,), generator=generator(seed)), classes).double()


def test_jvp_is_the_derivative_of_the_model(model):
    m = model.linearisation()
    images = m.images(model.images)
    update = WeightUpdate(
        normal(20, *model.head.image_projection.shape),
        normal(21, *model.head.text_projection.shape),
    )
    moved = m.unwhiten(update)

    def logits(w, v):
        head = Head(w, v, model.head.logit_scale, model.head.logit_bias, model.head.loss)
        return head.logits(model.images, model.classes)

    _, wanted = jvp(
        logits, (model.head.image_projection, model.head.text_projection), (moved.image, moved.text)
    )
    assert torch.allclose(m.jvp(images, update), wanted, rtol=1e-9, atol=1e-9)


def test_vjp_is_the_transpose_of_jvp(model):
    m = model.linearisation()
    images = m.images(model.images)
    update, weights = m.sample(2, generator(1)), normal(4, 2, len(images), 4)
    update = WeightUpdate(update.image.double(), update.text.double())
    pulled = m.vjp(images, weights)
    left = (m.jvp(images, update) * weights).sum(dim=(-2, -1))
    right = (pulled.image * update.image).sum(dim=(-2, -1)) + (pulled.text * update.text).sum(
        dim=(-2, -1)
    )
    assert torch.allclose(left, right, rtol=1e-10)


def test_the_gradient_vanishes_at_the_optimum(model):
    m = model.linearisation()
    images, targets = m.images(model.images), labels_for(model, len(model.images))
    found = fit(m, images, targets)
    update = WeightUpdate(
        found.update.image.clone().requires_grad_(), found.update.text.clone().requires_grad_()
    )
    logits = images.logits + m.jvp(images, update)
    loss = -(targets * log_softmax(logits, -1)).sum() + 0.5 * (
        update.image.square().sum() + update.text.square().sum()
    )
    loss.backward()
    assert loss.item() == pytest.approx(found.objective, rel=1e-9)
    assert update.image.grad.abs().max() < 1e-6
    assert update.text.grad.abs().max() < 1e-6


def test_float32_products_find_the_same_optimum(model, monkeypatch):
    m = model.linearisation()
    images, targets = m.images(model.images), labels_for(model, len(model.images))
    rounded = fit(m, images, targets)
    monkeypatch.setattr(map_fit, "_FLOAT32_STEPS", 0)
    exact = fit(m, images, targets)
    assert torch.allclose(rounded.update.image, exact.update.image, atol=1e-6)
    assert torch.allclose(rounded.update.text, exact.update.text, atol=1e-6)


def test_a_weight_counts_like_repeated_labels(model):
    m = model.linearisation()
    targets = labels_for(model, 6)
    twice = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
    repeated = fit(m, m.images(model.images[twice]), targets[twice])
    weights = torch.tensor([2.0, 2, 1, 1, 1, 1], dtype=torch.float64)
    weighted = fit(m, m.images(model.images[:6]), targets, weights)
    assert torch.allclose(repeated.update.image, weighted.update.image, atol=1e-7)


def test_known_labels_change_little_and_strength_limits_the_change(model):
    """A stronger posterior moves less, towards the zero-shot model."""
    targets = labels_for(model, len(model.images))
    sizes = []
    for strength in (1e-2, 1.0, 1e4, 1e8):
        tempered = model.posterior.tempered(strength, strength)
        start = zero_shot(model.head.to("cpu", torch.float32), tempered, model.classes)
        learned = learn(start, model.images, targets)
        sizes.append(
            float(
                (
                    learned.logits(model.images.to("cpu", torch.float32))
                    - start.logits(model.images.to("cpu", torch.float32))
                )
                .abs()
                .max()
            )
        )
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-2


def own_jacobian(term, images, classes):
    """(n C) x (C P) from standard normal weights of the residual head."""
    centred = term.weight_variance**0.5 * term.centred_inputs(images)
    eye = torch.eye(classes, dtype=torch.float64)
    return torch.einsum("np,cd->ncdp", centred, eye).reshape(len(images) * classes, -1)


@pytest.mark.parametrize("own", ["", "activations", "embeddings"])
def test_conditioned_draws_have_the_posterior_covariance_of_the_dense_gaussian(own):
    model = small_model(images=5, classes=3)
    m = model.linearisation()
    images, targets = m.images(model.images), labels_for(model, 5)
    term = ResidualHead.of(images, None, 100.0, embedded=own == "embeddings") if own else None
    found = fit(m, images, targets, None, term)
    count = 30_000
    start = m.sample(count, generator(1))
    test = m.images(small_model(seed=50, images=4, classes=3).images)
    both, taught = dense_jacobian(m, test), dense_jacobian(m, images)
    if term is not None:
        both = torch.cat([both, own_jacobian(term, test, 3)], dim=1)
        taught = torch.cat([taught, own_jacobian(term, images, 3)], dim=1)
        start = term.sample(start, 3, generator(3))
        flat, wanted = m.jvp(test, start).reshape(count, -1), both @ both.T
        spread = wanted.diagonal()
        allowed = 5 * ((torch.outer(spread, spread) + wanted**2) / count).sqrt()
        assert ((flat.T @ flat / count - wanted).abs() <= allowed).all()
    draws = condition(m, images, found.probabilities, start, generator(2), None, term)
    p = found.probabilities
    curvature = torch.block_diag(*[torch.diag(row) - torch.outer(row, row) for row in p])
    precision = torch.eye(taught.shape[1], dtype=torch.float64) + taught.T @ curvature @ taught
    wanted = both @ torch.linalg.solve(precision, both.T)
    flat = m.jvp(test, draws).reshape(count, -1)
    spread = wanted.diagonal()
    assert (flat.mean(dim=0).abs() <= 5 * (spread / count).sqrt()).all()
    allowed = 5 * ((torch.outer(spread, spread) + wanted**2) / count).sqrt()
    assert ((flat.T @ flat / count - wanted).abs() <= allowed).all()
    before = (both @ both.T).diagonal()
    assert (spread <= before + 1e-9).all()
    known = LaplaceState(images, found.probabilities, torch.ones_like(images.scale), term)
    assert torch.allclose(logit_variance(m, test, known).flatten(), spread, rtol=1e-8)


@pytest.mark.parametrize("embedded", [False, True])
def test_with_a_residual_head_the_learner_is_one_model(embedded, monkeypatch):
    """Its logits are those of its update, and it comes back from its update as it was."""
    monkeypatch.setattr(learning, "choose_prior", lambda *_: Prior(2.0, 90.0, embedded))
    model = small_model(dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    learned = learn(start, model.images[:6], labels_for(model, 6), residual_head=True)
    prior = learned.state.prior
    m = start.model.double().widened(prior.widening)
    images = m.images(model.images.to("cpu", torch.float64))
    labelled = images[torch.arange(6)]
    found = fit(m, labelled, labels_for(model, 6), None, prior.residual_head(labelled, None))
    logits = learned.logits(model.images).double()
    assert torch.allclose(logits, images.logits + m.jvp(images, found.update), atol=1e-3)
    back = restore(start, LearnedWeights.of(learned), model.images[:6])
    assert torch.equal(back.logits(model.images), learned.logits(model.images))
    one, other = back.draws(16, 7), learned.draws(16, 7)
    assert torch.allclose(one.image, other.image, atol=1e-3)
    own, others = [d.residual_embedded if embedded else d.residual for d in (one, other)]
    assert torch.allclose(own, others, atol=1e-3)
    plain = learn(start, model.images[:6], labels_for(model, 6))
    assert plain.draws(4, 1).offset is None
    assert start.draws(4, 1).offset is None


def test_draws_keep_their_noise_when_labels_are_added():
    """Common random numbers: without labels, and for earlier labels, nothing is drawn anew."""
    model = small_model(dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    assert torch.equal(start.draws(8, 3).image, start.draws(8, 3).image)
    exact = start.model.double()
    images = exact.images(model.images[:5].to("cpu", torch.float64))
    kernel = LinearisedKernel(exact.classes, images, images)
    right = normal(1, 2, 5, 4)
    even = torch.full((5, 4), 0.25, dtype=torch.float64)
    gram = LabelGram(kernel, even)
    assert torch.allclose(gram.apply(gram.solve(right)), right, atol=1e-8)


def test_a_learner_is_restored_from_its_weight_update():
    model = small_model(dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    learned = learn(start, model.images[:6], labels_for(model, 6))
    found = restore(start, LearnedWeights.of(learned), model.images[:6])
    assert torch.equal(found.logits(model.images), learned.logits(model.images))
    one, other = found.draws(16, 7), learned.draws(16, 7)
    assert torch.allclose(one.image, other.image, atol=1e-3)


def test_without_labels_the_model_is_unchanged():
    model = small_model(dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    learned = learn(start, model.images[:0], torch.zeros(0, 4, dtype=torch.float64))
    wanted = model.head.logits(model.images, model.classes)
    assert torch.allclose(learned.logits(model.images), wanted, atol=1e-5)
