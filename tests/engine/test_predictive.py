"""Moments of cosines: brute-force Monte Carlo, plain cosines in the limit, and invariances."""

from dataclasses import replace

import pytest
import torch

from alworkbench.posterior.predictive import LogitMoments, logit_moments, probit_logits
from tests.factories import generator, small_model


@pytest.mark.parametrize("residuals", [False, True])
def test_moments_vanish_to_plain_cosines_as_the_posterior_shrinks(residuals):
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


def test_moderation_never_makes_a_prediction_more_certain():
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
