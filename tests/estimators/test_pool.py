"""The classifier learns from unlabelled rows as the workbench does."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.encoders.head import Features
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
from tests.factories import small_model

MODEL = small_model(images=60, classes=3, image_size=10)
X = MODEL.images.activations.numpy()
Y = np.arange(12) % 3


def classifier(**parameters):
    return LaplaceVLMClassifier(MODEL.head, MODEL.posterior, MODEL.classes, **parameters)


def test_with_a_pool_it_is_the_pool_taught_learner():
    found = classifier().fit(X[:12], Y, pool=X[12:]).decision_function(X)
    start = zero_shot(MODEL.head, MODEL.posterior.tempered(1e-3, 1e-3), MODEL.classes)
    labelled, pool = (Features(torch.tensor(part).float()) for part in (X[:12], X[12:]))
    targets = one_hot(torch.tensor(Y), 3).double()
    wanted = find_method("pool-taught")(start, labelled, targets, unlabelled=pool)
    every = wanted.logits(Features(torch.tensor(X).float())).double().numpy()
    assert np.allclose(found, every, atol=1e-2 * np.abs(every).max())


def test_the_order_of_the_calls_does_not_matter():
    whole = classifier().fit(X[:12], Y, pool=X[12:])
    parts = classifier().partial_fit(X[:5], Y[:5], pool=X[12:]).partial_fit(X[5:12], Y[5:])
    assert np.array_equal(whole.predict_proba(X), parts.predict_proba(X))


def test_a_fit_without_a_pool_forgets_the_pool_of_the_fit_before():
    again = classifier().fit(X[:12], Y, pool=X[12:]).fit(X[:12], Y)
    assert np.array_equal(again.predict_proba(X), classifier().fit(X[:12], Y).predict_proba(X))


def test_variances_are_those_of_the_draws():
    found = classifier(random_state=0).fit(X[:12], Y, pool=X[12:])
    drawn = found.sample(X[12:15], 4000)
    mean, variance = found.predict_moments(X[12:15])
    assert np.allclose(drawn.var(axis=0), variance, rtol=0.15)
    assert np.allclose(drawn.mean(axis=0), mean, atol=0.1 * np.sqrt(variance).max())


def test_logistic_regression_learns_from_a_pool_too():
    found = LaplaceVLMClassifier().fit(X[:12], Y, pool=X[12:])
    assert np.isfinite(found.predict_proba(X)).all()


@pytest.mark.parametrize(("adaptation", "pool"), [("pool-taught", None), ("free-weights", X[12:])])
def test_a_pool_and_a_method_that_do_not_belong_together_are_refused(adaptation, pool):
    with pytest.raises(ValueError, match="`pool`"):
        classifier(adaptation=adaptation).fit(X[:12], Y, pool=pool)


def test_a_pool_of_other_columns_is_refused():
    with pytest.raises(ValueError, match="pool has 9 columns, but X has 10"):
        classifier().fit(X[:12], Y, pool=X[12:, :9])
