"""The classifier: our model for scikit-learn, and logistic regression where it knows nothing."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.adaptation.predictive_variance import logit_variance
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
from alworkbench.posterior.covariance import LinearisedKernel
from tests.factories import small_model

NAMES = ("ant", "bee", "cat", "dog")


def matrix(features) -> np.ndarray:
    parts = [features.activations]
    if features.residuals is not None:
        parts.append(features.residuals)
    return torch.cat(parts, dim=1).numpy()


def of_model(model, **options) -> LaplaceVLMClassifier:
    return LaplaceVLMClassifier(model.head, model.posterior, model.classes, NAMES, **options)


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    return x, y


class TestWithoutAHead:
    def test_it_is_multinomial_logistic_regression(self, iris):
        x, y = iris
        ours = LaplaceVLMClassifier(text_strength=1e-6).fit(x, y)
        theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)
        theirs.fit(StandardScaler().fit_transform(x), y)
        expected = theirs.predict_proba(StandardScaler().fit(x).transform(x))
        assert np.abs(ours.predict_proba(x) - expected).max() < 1e-4

    def test_without_weight_of_labels_the_variance_is_that_of_the_prior(self):
        x = np.array([[1.0, 2.0], [-1.0, -2.0]])
        found = LaplaceVLMClassifier(image_strength=4.0, text_strength=0.5)
        found.fit(x, [0, 1], sample_weight=[1e-9, 1e-9])
        scaled = x / x.std(axis=0)
        expected = (scaled**2).sum(axis=1) / 4 + 1 / 0.5
        assert np.allclose(found.predict_moments(x).variance, expected[:, None], rtol=1e-6)

    def test_it_takes_part_in_cross_validation(self, iris):
        assert cross_val_score(LaplaceVLMClassifier(), *iris, cv=5).mean() > 0.9

    def test_without_a_head_it_cannot_predict_before_a_fit(self, iris):
        with pytest.raises(NotFittedError, match="give it a head"):
            LaplaceVLMClassifier().predict(iris[0])


class TestAnswers:
    def test_before_the_first_label_it_is_the_zero_shot_model(self):
        model = small_model()
        found = of_model(model)
        expected = model.head.logits(model.images, model.classes)
        assert np.allclose(found.decision_function(matrix(model.images)), expected, atol=1e-6)
        assert found.classes_.tolist() == list(NAMES)

    @pytest.mark.parametrize("residuals", [False, True])
    @pytest.mark.parametrize("adaptation", [None, "free-weights", "linearised"])
    def test_it_learns_what_the_workbench_learns(self, residuals, adaptation):
        model = small_model(residuals=residuals)
        labels = torch.arange(12) % 3
        found = of_model(model, adaptation=adaptation).fit(matrix(model.images), labels.numpy())
        start = zero_shot(model.head, model.posterior.tempered(1e-3, 1e-3), model.classes)
        method = find_method(adaptation or DEFAULT_ADAPTATION)
        learned = method(start, model.images, torch.eye(4, dtype=torch.float64)[labels])
        expected = learned.logits(model.images.to("cpu", torch.float32))
        assert np.allclose(found.decision_function(matrix(model.images)), expected, atol=1e-3)

    def test_a_class_without_labels_is_predicted_too(self):
        model = small_model(images=40)
        x = matrix(model.images)
        before = of_model(model).predict_proba(x)
        found = of_model(model)
        found.fit(x[:2], ["ant", "bee"])
        assert found.predict_proba(x).shape == (40, 4)
        assert "dog" in found.predict(x[before[:, 3] > 0.9])

    def test_names_and_indices_teach_the_same_and_predictions_are_named_likewise(self):
        model = small_model()
        x, indices = matrix(model.images), np.arange(12) % 4
        by_index = of_model(model).fit(x, indices)
        by_name = of_model(model).fit(x, np.array(NAMES)[indices])
        assert np.array_equal(by_index.predict_proba(x), by_name.predict_proba(x))
        assert by_index.score(x, indices) == by_name.score(x, np.array(NAMES)[indices])
        assert np.array_equal(np.array(NAMES)[by_index.predict(x)], by_name.predict(x))

    @pytest.mark.parametrize("strange", [["ant", "cow"], [0, 4], [-1, 2], [0.5, 1.0]])
    def test_a_label_outside_of_the_list_is_refused(self, strange):
        model = small_model()
        with pytest.raises(ValueError, match=r"none of the 4 classes|continuous"):
            of_model(model).fit(matrix(model.images)[:2], strange)

    def test_activations_of_another_model_are_refused(self):
        with pytest.raises(ValueError, match=r"X has 9 features, but .* is expecting 7"):
            of_model(small_model()).predict(np.zeros((3, 9)))

    def test_a_head_without_posterior_or_classes_is_refused(self):
        model = small_model()
        with pytest.raises(ValueError, match="a head needs its posterior"):
            LaplaceVLMClassifier(model.head).predict(matrix(model.images))
        with pytest.raises(ValueError, match="2 different names for 4 classes"):
            LaplaceVLMClassifier(model.head, model.posterior, model.classes, ["a", "b"]).classes_  # noqa: B018


class TestLearning:
    def test_any_split_into_parts_gives_the_same_model(self):
        model = small_model()
        x, y = matrix(model.images), np.arange(12) % 4
        weights = np.linspace(0.5, 2, 12)
        whole = of_model(model).fit(x, y, weights)
        parts = of_model(model)
        for part in (slice(0, 1), slice(1, 7), slice(7, 12)):
            parts.partial_fit(x[part], y[part], sample_weight=weights[part])
        assert np.allclose(parts.predict_proba(x), whole.predict_proba(x), atol=1e-12)

    def test_without_a_head_too(self, iris):
        x, y = iris
        parts = LaplaceVLMClassifier(class_weight="balanced")
        parts.partial_fit(x[:60], y[:60], classes=[0, 1, 2]).partial_fit(x[60:], y[60:])
        whole = LaplaceVLMClassifier(class_weight="balanced").fit(x, y)
        assert np.allclose(parts.predict_proba(x), whole.predict_proba(x), atol=1e-9)

    def test_balanced_weights_are_sample_weights(self, iris):
        x, y = iris[0][20:120], iris[1][20:120]
        weights = (len(y) / 3 / np.bincount(y))[y]
        one = LaplaceVLMClassifier(class_weight="balanced").fit(x, y)
        other = LaplaceVLMClassifier().fit(x, y, sample_weight=weights)
        assert np.allclose(one.predict_proba(x), other.predict_proba(x), atol=1e-12)

    def test_it_can_be_copied_and_kept(self):
        model = small_model()
        x, y = matrix(model.images), np.arange(12) % 4
        fitted = of_model(model).fit(x, y)
        kept = pickle.loads(pickle.dumps(fitted))
        assert np.array_equal(kept.predict_proba(x), fitted.predict_proba(x))
        assert np.array_equal(clone(fitted).fit(x, y).predict_proba(x), fitted.predict_proba(x))


class TestUncertainty:
    @pytest.mark.parametrize("adaptation", ["free-weights", "linearised"])
    def test_moments_are_those_of_draws(self, adaptation):
        model = small_model(images=16)
        x = matrix(model.images)
        strengths = {"image_strength": 0.1, "text_strength": 0.1}
        found = of_model(model, adaptation=adaptation, random_state=3, **strengths)
        found.fit(x[:6], np.arange(6) % 4)
        mean, variance = found.predict_moments(x)
        draws = found.sample(x, 20_000)
        deviation = np.sqrt(variance)
        assert draws.shape == (20_000, 16, 4)
        assert (np.abs(draws.mean(axis=0) - mean) < 0.05 * deviation + 1e-9).all()
        assert np.allclose(draws.var(axis=0), variance, rtol=0.06)

    def test_variance_is_that_of_the_dense_formula(self):
        model = small_model(images=9)
        strengths = {"image_strength": 0.1, "text_strength": 0.1}
        found = of_model(model, adaptation="linearised", **strengths)
        found.fit(matrix(model.images)[:5], np.arange(5) % 4)
        learner = found._model()[0]
        exact = learner.model
        images, state = exact.images(model.images), learner.state

        def covariance(left, right):
            size = len(left) * 4, len(right) * 4
            return LinearisedKernel(exact.classes, left, right).dense().reshape(size)

        known = covariance(state.images, state.images)
        curvature = torch.block_diag(
            *(torch.diag(p) - torch.outer(p, p) for p in state.probabilities)
        )
        cross = covariance(images, state.images)
        prior = covariance(images, images)
        inner = torch.linalg.inv(torch.eye(20, dtype=torch.float64) + curvature @ known) @ curvature
        expected = (prior - cross @ inner @ cross.T).diagonal().reshape(9, 4)
        assert torch.allclose(logit_variance(exact, images, state), expected, rtol=1e-8)

    def test_labels_never_add_variance(self):
        model = small_model(images=16)
        x = matrix(model.images)
        before = of_model(model).predict_moments(x).variance
        after = of_model(model, adaptation="linearised").fit(x[:8], np.arange(8) % 4)
        after = after.predict_moments(x).variance
        assert (after <= before * (1 + 1e-9)).all()
        assert after[:8].mean() < before[:8].mean()

    def test_the_same_random_state_gives_the_same_draws_and_no_global_state_changes(self):
        model = small_model()
        x = matrix(model.images)
        np.random.seed(1)  # noqa: NPY002
        numpy_state, torch_state = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
        one = of_model(model, random_state=5).sample(x, 3)
        assert np.allclose(one[:, :4], of_model(model, random_state=5).sample(x[:4], 3))
        assert not np.allclose(one, of_model(model, random_state=6).sample(x, 3))
        assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
        assert torch.equal(torch_state, torch.random.get_rng_state())
