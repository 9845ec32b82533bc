"""Every strategy and every learning method works with every set of labels, whichever way it is used."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modAL.models import ActiveLearner

from alworkbench.acquisition.catalogue import STRATEGIES
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import METHODS
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    EncoderRecord,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.core.errors import PoolExhausted
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
from alworkbench.estimators.modal import query_strategy
from alworkbench.features.table import FeatureTable
from alworkbench.project.artifacts import FixedEngine
from alworkbench.project.workbench import Workbench
from store import memory_store
from tests.factories import SmallModel, small_model

IMAGES = 8
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETS = {
    "no label": lambda classes: [],
    "one label": lambda classes: [0],
    "the last class alone": lambda classes: [classes - 1] * 2,
    "one class alone": lambda classes: [0] * 5,
    "one of each class": lambda classes: list(range(min(classes, IMAGES - 1))),
    "every image but one": lambda classes: [k % classes for k in range(IMAGES - 1)],
    "every image": lambda classes: [k % classes for k in range(IMAGES)],
    "every image, of one class": lambda classes: [classes - 1] * IMAGES,
}
NAMES = [each.name for each in STRATEGIES]
METHOD_NAMES = [each.name for each in METHODS]


@cache
def model_of(classes: int) -> SmallModel:
    return small_model(images=IMAGES, classes=classes, dtype=torch.float32)


def check(found: object, scores: object, candidates: int, batch: int) -> None:
    rows = np.asarray(found)
    assert len(rows) == len(set(rows.tolist())) == min(batch, candidates)
    assert np.isfinite(np.asarray(scores, dtype=float)).all()


def ask_workbench(strategy: str, method: str, labels: list[int], classes: int, batch: int) -> None:
    """Labels arrive, a round is asked, answered and learned from, and the next one is asked."""
    model = model_of(classes)
    names = ClassList(tuple(LabelClass(f"class {k}") for k in range(classes)))
    hashes = [f"{k:064x}" for k in range(IMAGES)]
    table = FeatureTable.from_features(hashes, model.images)
    engine = FixedEngine("small", model.head, table, model.classes, model.posterior)
    about = ProjectSettings("toy", encoder="made", adaptation=method)
    with (
        tempfile.TemporaryDirectory() as scratch,
        closing(memory_store(about, names, NOW)) as store,
    ):
        with store.write() as writer:
            images = [FoundImage(name, name, 1, 8, 8) for name in hashes]
            writer.images.add(images, [], root="made", role=Role.POOL)
            writer.computed.set_encoder(EncoderRecord("small", "made"))
            writer.computed.add_posterior("small", "made", {}, NOW)
            ids = [c.id for c in writer.classes.current().classes]
            given = [
                Answer(f"e{k}", k + 1, AnswerKind.CLASS, "ada", ids[label], source="csv")
                for k, label in enumerate(labels)
            ]
            writer.labels.add_many(given, NOW)
        bench = Workbench(
            ProjectFolder(Path(scratch)),
            store,
            engine=engine,
            clock=lambda: NOW,
            take_snapshots=False,
        )
        left = IMAGES - len(labels)
        for _ in range(2):
            if not left:
                with pytest.raises(PoolExhausted):
                    bench.rounds.propose(strategy, batch)
                return
            opened = bench.rounds.propose(strategy, batch)
            items = bench.rounds.items(opened.id)
            check([item.image_id for item in items], [item.score for item in items], left, batch)
            for item in items:
                bench.labels.record(
                    Answer(str(item.id), item.image_id, AnswerKind.CLASS, "ada", ids[-1], item.id)
                )
            bench.rounds.close()
            left -= len(items)


def ask_modal(strategy: str, _method: str, labels: list[int], classes: int, batch: int) -> None:
    """The labelled rows are taught first, if there are any; then the rest of the pool is asked twice."""
    model = model_of(classes)
    X = _matrix(model)
    classifier = LaplaceVLMClassifier(model.head, model.posterior, model.classes, draws=8)
    learner = ActiveLearner(classifier, query_strategy=query_strategy(strategy))
    if labels:
        learner.teach(X[: len(labels)], np.array(labels))
    left = np.arange(len(labels), IMAGES) if len(labels) < IMAGES else np.arange(IMAGES)
    for _ in range(2):
        if not len(left):
            return
        found, rows = learner.query(X[left], n_instances=batch)
        check(found, [0.0], len(left), batch)
        learner.teach(rows, np.full(len(rows), classes - 1))
        left = np.delete(left, found)


def ask_scikit_learn(
    strategy: str, method: str, labels: list[int], classes: int, batch: int
) -> None:
    """A fitted classifier, or one before any label, with a query strategy as a function."""
    model = model_of(classes)
    X, y = _matrix(model), np.array(labels, dtype=int)
    known = ("pool-taught", "free-weights", "linearised")
    adaptation = method if method in known else None
    classifier = LaplaceVLMClassifier(
        model.head, model.posterior, model.classes, adaptation=adaptation, draws=8
    )
    if labels:
        pool = X if adaptation == "pool-taught" else None
        classifier.fit(X[: len(y)], y, pool=pool)
    probabilities = classifier.predict_proba(X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(classifier.predict_moments(X).variance).all()
    found = query_strategy(strategy)(classifier, X, batch)
    check(found.indices, found.scores, IMAGES, batch)


def _matrix(model: SmallModel) -> np.ndarray:
    return model.images.activations.double().numpy()


WAYS = {"workbench": ask_workbench, "modAL": ask_modal, "scikit-learn": ask_scikit_learn}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    strategy=st.sampled_from(NAMES),
    method=st.sampled_from(METHOD_NAMES),
    labels=st.sampled_from(sorted(SETS)),
    classes=st.sampled_from([2, 3, 9]),
    batch=st.sampled_from([1, 3, IMAGES, 5 * IMAGES]),
)
def test_every_set_of_labels_can_be_asked_about_and_learned_from(
    way: str, strategy: str, method: str, labels: str, classes: int, batch: int
) -> None:
    WAYS[way](strategy, method, SETS[labels](classes), classes, batch)


@pytest.mark.parametrize("labels", SETS)
@pytest.mark.parametrize("name", METHOD_NAMES)
def test_every_method_learns_from_every_set_of_labels(name: str, labels: str) -> None:
    for classes in (2, 9):
        model, method = model_of(classes), next(each for each in METHODS if each.name == name)
        given = torch.tensor(SETS[labels](classes), dtype=torch.long)
        targets = torch.eye(classes, dtype=torch.float64)[given]
        start = zero_shot(model.head, model.posterior, model.classes)
        learned = method(start, model.images[: len(given)], targets, unlabelled=model.images)
        assert learned.logits(model.images).shape == (IMAGES, classes)
        assert learned.logits(model.images).isfinite().all()
        assert learned.base.draws(3, 0).image.isfinite().all()
