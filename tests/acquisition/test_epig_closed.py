"""EPIG in closed form against its slow direct form, before and after labels."""

import math

import pytest
import torch

from alworkbench.acquisition.epig import closed_form
from alworkbench.acquisition.epig.closed_form import (
    ClosedForm,
    closed_form_scores,
    curvature_rows,
    logit_variance,
)
from alworkbench.adaptation import learner as learning
from alworkbench.adaptation.label_kernel import LabelKernel
from alworkbench.adaptation.learner import learn, zero_shot
from alworkbench.adaptation.prior_selection import Prior
from tests.factories import normal, small_model

POOL, TARGETS, LABELS, CLASSES = 7, 5, 4, 4


def exact_learner(labels=LABELS, classes=CLASSES, own=False):
    """In float64 throughout, so that only the formula can differ."""
    small = small_model(images=POOL + TARGETS + LABELS, classes=classes, scale=5.0)
    start = zero_shot(small.head, small.posterior.tempered(1e-2, 1e-2), small.classes)
    truth = torch.eye(classes, dtype=torch.float64)[torch.arange(LABELS) % classes]
    learner = start
    if labels:
        learner = learn(start, small.images[POOL + TARGETS :], truth, own_weights=own)
    return learner, small


def direct(learner, small, few):
    """Dense covariance of every logit, conditioned on the labels, and traces pair by pair."""
    model = learner.model.double()
    rows = torch.arange(POOL + TARGETS)
    images = model.images(small.images[rows])
    everything = model.images(small.images)
    classes = small.classes.shape[0]
    term = None if learner.taught is None else learner.taught.own
    free = None if term is None else term.covariance(everything, everything)
    dense = LabelKernel.of(model, everything, free).dense().flatten(2).flatten(0, 1)
    own = (POOL + TARGETS) * classes
    cov = dense[:own, :own]
    if learner.taught is not None:
        p = learner.taught.probabilities
        curvature = torch.block_diag(*(torch.diag(x) - torch.outer(x, x) for x in p))
        between, inner = dense[:own, own:], dense[own:, own:]
        eye = torch.eye(len(inner), dtype=inner.dtype)
        gain = torch.linalg.solve(eye + curvature @ inner, curvature)
        cov = cov - between @ gain @ between.T
    cov = cov.reshape(len(rows), classes, len(rows), classes)
    logits = learner.logits(small.images[rows].to("cpu", torch.float32)).double()
    variance = torch.stack([cov[i, :, i].diagonal() for i in rows])
    p = (logits / (1 + math.pi / 8 * variance).sqrt()).softmax(-1)
    weights = []
    for i in rows.tolist():
        curvature = torch.diag(p[i]) - torch.outer(p[i], p[i])
        beyond = p[i].argsort(descending=True)[few:]
        curvature[beyond] = 0
        curvature[:, beyond] = 0
        eye = torch.eye(classes, dtype=torch.float64)
        weights.append(torch.linalg.solve(eye + curvature @ cov[i, :, i], curvature))
    scores = torch.zeros(POOL, dtype=torch.float64)
    for i in range(POOL):
        for j in range(POOL, POOL + TARGETS):
            cross = cov[i, :, j]
            scores[i] += 0.5 / TARGETS * torch.trace(weights[i] @ cross @ weights[j] @ cross.T)
    return scores, images, logits


@pytest.mark.parametrize(
    ("labels", "own", "embedded"),
    [(0, False, False), (LABELS, False, False), (LABELS, True, False), (LABELS, True, True)],
)
@pytest.mark.parametrize("leading", [8, 3])
def test_it_equals_its_slow_direct_form(labels, own, embedded, leading, monkeypatch):
    monkeypatch.setattr(closed_form, "LEADING", leading)
    if embedded:
        monkeypatch.setattr(learning, "choose_prior", lambda *_: Prior(2.0, 9.0, embedded))
    learner, small = exact_learner(labels, own=own)
    wanted, _, _ = direct(learner, small, leading)
    form = ClosedForm.of(learner)
    features = small.images[torch.arange(POOL + TARGETS)].to("cpu", torch.float32)
    rows = form.rows(learner.model.images(features), learner.logits(features))
    found = closed_form_scores(
        rows.block(0, POOL), rows.block(POOL, POOL + TARGETS), torch.ones(TARGETS), block=3
    )
    assert torch.allclose(found.double(), wanted, rtol=2e-4, atol=1e-7)
    assert (found >= 0).all()


def test_fewer_directions_of_the_labels_never_make_the_model_look_more_certain(monkeypatch):
    learner, small = exact_learner()
    images = learner.model.images(small.images.to("cpu", torch.float32))
    variances = []
    for directions, rank in ((1024, 256), (6, 256), (6, 3)):
        monkeypatch.setattr(closed_form, "DIRECTIONS", directions)
        monkeypatch.setattr(closed_form, "RANK", rank)
        taken = closed_form.Taken.of(learner)
        moved = closed_form.cross_covariance(learner.model, images, taken.images, taken.weights)
        variances.append(logit_variance(learner.model, images) - moved.square().sum(dim=0))
    for fewer, more in zip(variances[1:], variances, strict=False):
        assert (fewer >= more - 1e-5 * more.abs().max()).all()
    assert (variances[0] > -1e-4).all()


def test_variances_are_the_diagonals_of_the_covariances():
    learner, small = exact_learner(0)
    images = learner.model.images(small.images.to("cpu", torch.float32))
    dense = learner.model.class_covariance(images).diagonal(dim1=-2, dim2=-1)
    assert torch.allclose(logit_variance(learner.model, images), dense, rtol=1e-4, atol=1e-6)


def test_the_curvature_of_leading_classes_is_their_part_of_the_whole():
    p = (2 * normal(3, 6, 5)).softmax(-1).sort(dim=-1, descending=True).values
    whole = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    for few in (1, 3, 5):
        rows = curvature_rows(p[:, :few])
        assert torch.allclose(rows.mT @ rows, whole[:, :few, :few], atol=1e-9)
