"""The classifier learns from unlabelled rows as the workbench does."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss
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


def test_a_fit_without_a_pool_forgets_the_pool_of_the_fit_before_and_says_so():
    again = classifier().fit(X[:12], Y, pool=X[12:])
    with pytest.warns(UserWarning, match="This fit has no pool"):
        again.fit(X[:12], Y)
    assert np.array_equal(again.predict_proba(X), classifier().fit(X[:12], Y).predict_proba(X))


@pytest.mark.parametrize("part", ["X", "pool", "predicted"])
def test_a_row_whose_embedding_has_no_direction_is_refused(part):
    rows = {"X": X[:12].copy(), "pool": X[12:].copy(), "predicted": X.copy()}
    rows[part][3] = 0
    with pytest.raises(ValueError, match="row 3 has an embedding of length 0"):
        classifier().fit(rows["X"], Y, pool=rows["pool"]).predict(rows["predicted"])


def test_rows_in_any_order_of_memory_are_the_same_rows():
    turned = np.flipud(np.flipud(X).copy())
    assert turned.strides[0] < 0
    found = classifier().fit(turned[:12], Y, pool=turned[12:]).predict_proba(turned)
    assert np.array_equal(found, classifier().fit(X[:12], Y, pool=X[12:]).predict_proba(X))


def test_a_pool_whose_columns_have_another_order_is_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"f{k}" for k in range(X.shape[1])])
    with pytest.raises(ValueError, match="feature names"):
        classifier().fit(frame[:12], Y, pool=frame[12:][frame.columns[::-1]])


def test_a_head_of_one_class_is_refused():
    one = small_model(images=20, classes=1, image_size=10)
    with pytest.raises(ValueError, match="at least 2 classes"):
        LaplaceVLMClassifier(one.head, one.posterior, one.classes).fit(
            X[:5], np.zeros(5, dtype=int)
        )


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


def test_a_pickled_classifier_predicts_and_goes_on_as_the_first():
    found = classifier(adaptation="pool-taught").fit(X[:8], Y[:8], pool=X[12:])
    other = pickle.loads(pickle.dumps(found))
    assert np.array_equal(found.predict_proba(X), other.predict_proba(X))
    for each in (found, other):
        each.partial_fit(X[8:12], Y[8:])
    assert np.array_equal(found.predict_proba(X), other.predict_proba(X))
    assert clone(found).adaptation == "pool-taught"


def test_the_newest_pool_counts():
    one = classifier().partial_fit(X[:5], Y[:5], pool=X[12:20])
    one.partial_fit(X[5:12], Y[5:], pool=X[20:])
    whole = classifier().fit(X[:12], Y, pool=X[20:])
    assert np.array_equal(one.predict_proba(X), whole.predict_proba(X))


def test_a_pool_that_was_refused_is_not_kept():
    found = classifier(adaptation="free-weights").partial_fit(X[:5], Y[:5])
    with pytest.raises(ValueError, match="`pool`"):
        found.partial_fit(X[5:12], Y[5:], pool=X[12:])
    found.partial_fit(X[5:12], Y[5:])
    whole = classifier(adaptation="free-weights").fit(X[:12], Y)
    assert np.array_equal(found.predict_proba(X), whole.predict_proba(X))


def test_variances_are_those_of_the_labels_times_the_square_of_their_scale():
    found = classifier().fit(X[:12], Y, pool=X[12:])
    plain = classifier().fit(X[:12], Y)
    scale = found.learner().label_scale
    assert scale != 1
    variance = plain.predict_moments(X[12:15]).variance
    assert np.allclose(found.predict_moments(X[12:15]).variance, scale**2 * variance)


@pytest.mark.parametrize(("pool", "why"), [(X[12:] * np.nan, "NaN"), (X[:0], "0 sample")])
def test_a_pool_without_numbers_is_refused(pool, why):
    with pytest.raises(ValueError, match=why):
        classifier().fit(X[:12], Y, pool=pool)


def test_a_pool_lowers_the_loss_of_logistic_regression_with_few_labels():
    x, y = load_wine(return_X_y=True)
    few = np.concatenate([np.flatnonzero(y == c)[:3] for c in range(3)])
    rest = np.setdiff1d(np.arange(len(y)), few)
    found = LaplaceVLMClassifier().fit(x[few], y[few], pool=x[rest])
    plain = LaplaceVLMClassifier().fit(x[few], y[few])
    losses = [log_loss(y[rest], each.predict_proba(x[rest])) for each in (found, plain)]
    assert losses[0] < losses[1]
