"""Our strategies in modAL's learners, and modAL's strategies among ours."""

import modAL.batch
import modAL.disagreement
import modAL.uncertainty
import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from alworkbench.acquisition.catalogue import STRATEGIES, find_strategy
from alworkbench.core.errors import UnknownStrategy
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
from alworkbench.estimators.modal import let_modal_teach, query_strategy
from tests.acquisition.test_strategies import context
from tests.estimators.test_laplace_vlm import matrix, of_model
from tests.factories import small_model

NAMES = [s.name for s in STRATEGIES]
MODALS = [name for name in NAMES if name.startswith("modal-")]
CLASSES = np.array(["ant", "bee", "cat", "dog"])


@pytest.fixture(scope="module")
def model():
    return small_model(images=40)


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_works_in_a_modal_learner(model, name):
    """From no label at all: two rounds of asking three images and teaching them."""
    pool = matrix(model.images)
    truth = CLASSES[np.arange(len(pool)) % 4]
    asked = []
    left = np.arange(len(pool))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    learner = ActiveLearner(of_model(model, draws=16), query_strategy=query_strategy(name))
    for _ in range(2):
        found, rows = learner.query(pool[left], n_instances=3)
        assert len(set(found.tolist())) == 3
        assert np.array_equal(rows, pool[left][found])
        learner.teach(rows, truth[left[found]])
        asked += left[found].tolist()
        left = np.delete(left, found)
    assert len(set(asked)) == len(learner.X_training) == 6
    assert set(learner.predict(pool)) <= set(CLASSES)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", ["random", "epig", "modal-ranked-batch"])
def test_the_same_learner_asks_the_same(model, name):
    pool = matrix(model.images)
    fitted = of_model(model, draws=32).fit(pool[:6], CLASSES[np.arange(6) % 4])

    def ask(**options):
        found = query_strategy(name, **options)(fitted, pool[6:], 5)
        return found.indices.tolist()

    assert ask(seed=3) == ask(seed=3)
    assert sorted(ask()) == sorted(set(ask()))
    assert np.isfinite(query_strategy(name)(fitted, pool[6:], 5).scores).all()


def test_two_images_are_not_taken_for_indices_and_scores(model):
    """modAL takes an answer of length two apart, so ours must be the pair that it expects."""
    pool = matrix(model.images)
    learner = ActiveLearner(of_model(model), query_strategy=query_strategy("margin"))
    found, rows, scores = learner.query(pool, n_instances=2, return_metrics=True)
    assert found.shape == scores.shape == (2,)
    assert rows.shape == (2, pool.shape[1])


def test_ties_are_broken_at_random_on_request():
    x = np.repeat(load_iris().data[[0, 60, 120]], 20, axis=0)
    fitted = LaplaceVLMClassifier().fit(x, np.arange(60) // 20)
    plain = query_strategy("margin")(fitted, x, 5).indices
    shuffled = query_strategy("margin")(fitted, x, 5, random_tie_break=True).indices
    assert plain.tolist() != shuffled.tolist()
    again = query_strategy("margin")(fitted, x, 5, random_tie_break=True).indices
    assert shuffled.tolist() == again.tolist()


def test_targets_change_what_is_asked(model):
    pool = matrix(model.images)
    fitted = of_model(model, draws=64).fit(pool[:4], CLASSES)
    everywhere = query_strategy("epig")(fitted, pool, 5)
    somewhere = query_strategy("epig", targets=pool[[7, 8]])(fitted, pool, 5)
    assert everywhere.scores.tolist() != somewhere.scores.tolist()


def test_it_learns_on_ordinary_features():
    x, y = load_iris(return_X_y=True)
    start = [0, 60, 120]
    learner = ActiveLearner(
        LaplaceVLMClassifier(), query_strategy("margin"), X_training=x[start], y_training=y[start]
    )
    left = np.setdiff1d(np.arange(len(x)), start)
    for _ in range(5):
        found, rows = learner.query(x[left], n_instances=3)
        learner.teach(rows, y[left[found]])
        left = np.delete(left, found)
    assert learner.score(x, y) > 0.9


def test_a_classifier_without_a_posterior_is_refused():
    x, y = load_iris(return_X_y=True)
    learner = ActiveLearner(LogisticRegression(), query_strategy("epig"), x[::10], y[::10])
    with pytest.raises(TypeError, match="LaplaceVLMClassifier, found LogisticRegression"):
        learner.query(x)
    with pytest.raises(UnknownStrategy):
        query_strategy("nonsense")


def test_modal_can_teach_other_classifiers_too():
    let_modal_teach()
    x, y = load_iris(return_X_y=True)
    learner = ActiveLearner(
        LogisticRegression(max_iter=500), X_training=x[::10], y_training=y[::10]
    )
    learner.teach(x[1::10], y[1::10])
    assert len(learner.X_training) == 30


class TestModalsOwn:
    def test_they_are_listed(self):
        assert set(MODALS) == {
            "modal-ranked-batch",
            "modal-vote-entropy",
            "modal-consensus-entropy",
            "modal-max-disagreement",
        }

    @pytest.mark.parametrize(
        ("name", "theirs"),
        [
            ("least-confidence", modAL.uncertainty.uncertainty_sampling),
            ("margin", modAL.uncertainty.margin_sampling),
            ("entropy", modAL.uncertainty.entropy_sampling),
            ("modal-ranked-batch", modAL.batch.uncertainty_batch_sampling),
        ],
    )
    def test_they_choose_what_modal_chooses_with_our_classifier(self, model, name, theirs):
        pool = matrix(model.images)
        labels = CLASSES[np.arange(6) % 4]
        learner = ActiveLearner(of_model(model), theirs, X_training=pool[:6], y_training=labels)
        found, _ = learner.query(pool[6:], n_instances=8)
        ours = query_strategy(name)(learner, pool[6:], 8).indices
        if name == "modal-ranked-batch":
            assert ours.tolist() == found.tolist()
        assert sorted(ours.tolist()) == sorted(found.tolist())

    @pytest.mark.parametrize(
        ("name", "theirs"),
        [
            ("modal-vote-entropy", modAL.disagreement.vote_entropy),
            ("modal-consensus-entropy", modAL.disagreement.consensus_entropy),
            ("modal-max-disagreement", modAL.disagreement.KL_max_disagreement),
        ],
    )
    def test_draws_vote_as_a_committee_of_modal_does(self, name, theirs):
        asked = context(batch_size=34)
        draws = torch.cat(list(asked.drawn_probabilities()), dim=1).double().numpy()

        class Member:
            classes_ = np.arange(4)

            def __init__(self, k):
                self.probabilities = draws[k]

            def predict_proba(self, X, **_):
                return self.probabilities

            def predict(self, X, **_):
                return self.probabilities.argmax(axis=1)

        committee = Committee.__new__(Committee)
        committee.learner_list = [Member(k) for k in range(len(draws))]
        committee.classes_ = np.arange(4)
        committee.n_classes_ = 4
        for member in committee.learner_list:
            member.estimator = member
        expected = theirs(committee, np.zeros((34, 1)))
        found = find_strategy(name).select(asked)
        values = dict(zip(found.rows, found.scores, strict=True))
        ordered = [values[row] for row in asked.candidates.tolist()]
        assert ordered == pytest.approx(expected.tolist(), abs=1e-9)

    @pytest.mark.parametrize("name", MODALS)
    def test_they_leave_numpys_global_state_alone(self, name):
        np.random.seed(4)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        first = find_strategy(name).select(context())
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
        np.random.seed(5)  # noqa: NPY002
        assert find_strategy(name).select(context()) == first
