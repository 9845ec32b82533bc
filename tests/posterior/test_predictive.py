"""Moments of cosines against Monte Carlo, plain cosines in the limit, and invariances."""

from dataclasses import replace

import pytest
import torch

from alworkbench.features.table import FeatureTable
from alworkbench.posterior.predictive import (
    LogitMoments,
    class_probabilities,
    logit_moments,
    probit_logits,
    sampled_probabilities,
    stream_moments,
    wasserstein_coordinates,
)
from tests.factories import generator, small_model


@pytest.mark.parametrize("residuals", [False, True])
def test_moments_tend_to_plain_cosines_as_the_posterior_shrinks(residuals):
    model = small_model(residuals=residuals)
    sharp = model.posterior.tempered(1e12, 1e12)
    moments = logit_moments(model.head, sharp, model.images, model.classes)
    plain = model.head.logits(model.images, model.classes)
    assert torch.allclose(moments.mean, plain, atol=1e-8)
    assert moments.variance.max() < 1e-8


def test_moments_are_those_of_independent_draws_of_both_sides():
    """ProbCosine takes norms at their expectation: exact for s g.h / sqrt(E|g|^2 E|h|^2)."""
    model = small_model(images=3, classes=2)
    tight = model.posterior.tempered(20.0, 20.0)
    moments = logit_moments(model.head, tight, model.images, model.classes)
    count = 60_000
    w, v = tight.image.sample(count, generator(1)), tight.text.sample(count, generator(2))
    g = torch.einsum("kdp,np->knd", w, model.images.activations)
    h = torch.einsum("kdq,cq->kcd", v, model.classes)
    norms = g.square().sum(-1).mean(0)[:, None] * h.square().sum(-1).mean(0)[None]
    logits = model.head.logit_scale * torch.einsum("knd,kcd->knc", g, h) / norms.sqrt()
    error = logits.std(dim=0) / count**0.5
    assert ((logits.mean(dim=0) - moments.mean).abs() <= 5 * error + 0.01 * error.max()).all()
    ratio = logits.var(dim=0) / moments.variance
    assert torch.allclose(ratio, torch.ones_like(ratio), rtol=0.05)


def test_the_probit_correction_never_raises_confidence():
    mean, variance = torch.randn(50, 4, generator=generator(3)), torch.full((50, 4), 2.0)
    plain = mean.softmax(-1)
    moderated = probit_logits(LogitMoments(mean, variance)).softmax(-1)
    assert (moderated.amax(-1) <= plain.amax(-1) + 1e-6).all()


def test_the_bias_shifts_the_mean_alone():
    model = small_model()
    shifted = replace(model.head, logit_bias=5.0)
    one = logit_moments(model.head, model.posterior, model.images, model.classes)
    other = logit_moments(shifted, model.posterior, model.images, model.classes)
    assert torch.allclose(other.mean, one.mean + 5)
    assert torch.equal(other.variance, one.variance)


def test_streamed_moments_are_those_of_the_whole_for_any_budget():
    model = small_model(images=30, dtype=torch.float32, residuals=True)
    table = FeatureTable.from_features([f"{k}" for k in range(30)], model.images)
    whole = logit_moments(model.head, model.posterior, model.images, model.classes)
    for budget in (1, 2000, 1 << 20):
        parts = list(
            stream_moments(table, None, model.head, model.posterior, model.classes, budget=budget)
        )
        assert torch.equal(torch.cat([rows for rows, _ in parts]), torch.arange(30))
        mean = torch.cat([moments.mean for _, moments in parts])
        variance = torch.cat([moments.variance for _, moments in parts])
        assert torch.allclose(mean, whole.mean, atol=1e-4)
        assert torch.allclose(variance, whole.variance, rtol=1e-3)


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_sampled_probabilities_tend_to_those_of_the_model(loss):
    model = small_model(loss=loss, residuals=loss == "siglip")
    sharp = model.posterior.tempered(1e14, 1e14)
    found = sampled_probabilities(model.head, sharp, model.images, model.classes, 3, generator(1))
    own = class_probabilities(model.head.logits(model.images, model.classes), loss)
    assert torch.allclose(found, own.expand(3, -1, -1), atol=1e-5)


def test_a_draw_is_shared_by_all_images():
    """The same image twice has the same probabilities in every draw: they are joint."""
    model = small_model(images=4)
    twice = model.images[torch.tensor([0, 1, 0])]
    found = sampled_probabilities(
        model.head, model.posterior, twice, model.classes, 5, generator(1)
    )
    assert torch.allclose(found[:, 0], found[:, 2])
    assert not torch.allclose(found[0, 0], found[1, 0])


def test_wasserstein_coordinates_give_the_distance_of_the_gaussians():
    model = small_model(images=6)
    posterior = model.posterior.image
    embeddings = model.head.embed_images(model.images)
    alpha = posterior.quadratic(model.images.activations)
    points = wasserstein_coordinates(model.posterior, embeddings, alpha)
    shared = posterior.embedding_covariance()
    for i, j in ((0, 1), (2, 5)):
        one, other = alpha[i] * shared, alpha[j] * shared
        # W2^2 of two Gaussians, by eigendecomposition of the geometric middle
        root = torch.linalg.cholesky(one)
        middle = torch.linalg.eigvalsh(root.T @ other @ root).clamp_min(0).sqrt().sum()
        wanted = (embeddings[i] - embeddings[j]).square().sum() + one.trace() + other.trace()
        wanted = wanted - 2 * middle
        assert torch.allclose((points[i] - points[j]).square().sum(), wanted, rtol=1e-8)
