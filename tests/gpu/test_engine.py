"""A CUDA device gives equal batches to the CPU, and numbers equal up to rounding.

Draws come from the CPU's generators on every device, so that the same seed draws the same there. Pools
stream in float32, labels are learned in float64. The towers run in mixed precision on CUDA, which
tests/datasets/test_bundled_model.py tests; these tests begin with features.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.catalogue import STRATEGIES, find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.leave_one_out import leave_one_out
from alworkbench.adaptation.methods import METHODS, find_method
from alworkbench.adaptation.predictive_variance import logit_variance
from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.core.domain import DEFAULT_ADAPTATION, Image, Role
from alworkbench.encoders.head import Loss, ensemble_prompts
from alworkbench.evaluation.metrics import measure
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.curvature import KroneckerFactors, pair_curvature
from alworkbench.posterior.fit_pool import pool_factors
from alworkbench.posterior.kronecker import KroneckerPosterior
from alworkbench.posterior.predictive import sampled_probabilities, stream_moments
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.explain import explain
from tests.factories import SmallModel, normal, small_model

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
CPU = torch.device("cpu")
NAMES = [s.name for s in STRATEGIES]
SMALL = (40, 4, 6)
LARGE = (600, 30, 120)
"""Images, classes and labels. Of the first the labels' systems are factorised, of the second iterated."""
STRENGTH = 0.05
EXACT = replace(DEFAULT_SETTINGS, rough_gradient=1e-10)
"""Fits run to the optimum: where a rough one ends, rounding may decide; all else is of the devices."""


@cache
def model(images: int, classes: int) -> SmallModel:
    return small_model(
        images=images,
        classes=classes,
        image_size=24,
        text_size=20,
        embedding=16,
        residuals=True,
        dtype=torch.float32,
    )


@cache
def start(device: torch.device, images: int, classes: int) -> Learner:
    made = model(images, classes)
    belief = made.posterior.tempered(STRENGTH, STRENGTH).to(device)
    return zero_shot(made.head.to(device), belief, made.classes.to(device))


def onehot(classes: int, labels: int) -> Tensor:
    """On the CPU, where they come from."""
    return torch.eye(classes, dtype=torch.float64)[torch.arange(labels) % classes]


@cache
def learned(
    device: torch.device, name: str, images: int, classes: int, labels: int, again: int = 0
) -> Learner:
    """`again` makes another one of the same."""
    pool = model(images, classes).images.to(device)
    way = find_method(name)
    return way(
        start(device, images, classes),
        pool[:labels],
        onehot(classes, labels),
        pool=pool,
        settings=EXACT,
        unlabelled=pool[labels:],
    )


def context(
    device: torch.device, size: tuple[int, int, int] = SMALL, **changes
) -> AcquisitionContext:
    images, classes, labels = size
    given = torch.arange(labels)
    asked = AcquisitionContext(
        table=FeatureTable.from_features([f"{k}" for k in range(images)], model(*size[:2]).images),
        candidates=torch.arange(labels, images),
        targets=torch.arange(0, images, 2),
        learner=learned(device, DEFAULT_ADAPTATION, *size),
        batch_size=8,
        seed=5,
        draw_seed=1,
        labelled=given,
        labels=given % classes,
        draws=32,
    )
    return replace(asked, **changes)


def alike(found: Tensor, wanted: Tensor, share: float = 1e-4) -> None:
    """Equal but for this share of the largest value."""
    assert found.is_cuda
    assert found.dtype == wanted.dtype
    torch.testing.assert_close(
        found.cpu(), wanted, rtol=share, atol=share * float(wanted.abs().max())
    )


# ----------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("name", NAMES)
class TestEveryStrategy:
    @pytest.mark.parametrize("labels", [0, 6])
    def test_the_batch_equals_that_on_the_cpu(self, name, labels):
        size = (*SMALL[:2], labels)
        found, wanted = (find_strategy(name).select(context(d, size)) for d in (CUDA, CPU))
        assert found.rows == wanted.rows
        assert found.scores == pytest.approx(wanted.scores, rel=1e-3, abs=1e-4)
        assert (found.probabilities is None) == (wanted.probabilities is None)
        if found.probabilities is not None:
            assert found.probabilities == pytest.approx(wanted.probabilities, rel=1e-3)

    def test_a_small_memory_budget_does_not_change_the_batch(self, name):
        strategy, asked = find_strategy(name), context(CUDA)
        needed = strategy.cost(asked.size).memory
        small = replace(asked, memory=needed + (needed >> 2) + (1 << 16))
        found = strategy.select(small)
        assert len(found.rows) == 8
        if name not in ("epig", "batchbald"):  # which look at the best alone then
            assert set(found.rows) == set(strategy.select(asked).rows)

    def test_the_same_context_gives_the_same_batch(self, name):
        first, second = (
            find_strategy(name).select(
                context(
                    CUDA,
                    LARGE,
                    learner=learned(CUDA, DEFAULT_ADAPTATION, *LARGE, again=k),
                    pool_is_target=True,
                )
            )
            for k in range(2)
        )
        assert first == second


# ---------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("name", [method.name for method in METHODS])
def test_every_method_predicts_as_on_the_cpu(name):
    images = model(*SMALL[:2]).images
    found, wanted = (learned(device, name, 40, 4, 30) for device in (CUDA, CPU))
    alike(found.logits(images.to(CUDA)), wanted.logits(images))


@pytest.mark.parametrize("name", ["pool-taught", "free-weights", "linearised"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["factorised", "iterated"])
class TestLearning:
    def test_what_the_pool_teaches_equals_that_on_the_cpu(self, name, size):
        found, wanted = (learned(device, name, *size).pool_term for device in (CUDA, CPU))
        assert (found is None) == (wanted is None) == (name != "pool-taught")
        if found is not None:
            assert found.label_scale == pytest.approx(wanted.label_scale, rel=1e-3)
            assert found.pool_scale == pytest.approx(wanted.pool_scale, rel=1e-3, abs=1e-4)
            images = model(*size[:2]).images
            one = found.gaussians.log_likelihoods(images.to(CUDA))
            alike(one, wanted.gaussians.log_likelihoods(images), 1e-3)

    def test_weight_update_and_prior_equal_those_on_the_cpu(self, name, size):
        found, wanted = (learned(device, name, *size) for device in (CUDA, CPU))
        assert (
            found.state.residual_head is None
            or found.state.prior.residual_variance
            == pytest.approx(wanted.state.prior.residual_variance, rel=1e-6)
        )
        for part in fields(found.update):
            one, other = getattr(found.update, part.name), getattr(wanted.update, part.name)
            assert (one is None) == (other is None)
            if one is not None:
                alike(one, other)

    def test_posterior_draws_given_labels_equal_those_on_the_cpu(self, name, size):
        images = model(*size[:2]).images
        found, wanted = (learned(device, name, *size) for device in (CUDA, CPU))
        one = found.model.jvp(found.model.images(images.to(CUDA)), found.draws(16, 3))
        other = wanted.model.jvp(wanted.model.images(images), wanted.draws(16, 3))
        alike(one, other, 1e-3)  # to which their systems are solved

    def test_leave_one_out_equals_that_on_the_cpu(self, name, size):
        targets = onehot(size[1], size[2])
        found, wanted = (
            leave_one_out(learned(device, name, *size), targets) for device in (CUDA, CPU)
        )
        assert found.groups == wanted.groups
        alike(found.logits, wanted.logits)

    def test_learning_and_drawing_are_deterministic(self, name, size):
        one, other = (learned(CUDA, name, *size, again=k) for k in range(2))
        for first, second in ((one.update, other.update), (one.draws(16, 3), other.draws(16, 3))):
            for part in fields(first):
                left, right = getattr(first, part.name), getattr(second, part.name)
                assert left is right is None or torch.equal(left, right), part.name

    def test_variances_given_labels_equal_those_on_the_cpu(self, name, size):
        few = model(*size[:2]).images[-12:]
        found, wanted = (
            logit_variance(
                (learner := learned(device, name, *size)).model.double(),
                learner.model.double().images(few.to(device, torch.float64)),
                learner.state,
            )
            for device in (CUDA, CPU)
        )
        alike(found, wanted)


# ------------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("score", [scores.bald, scores.predictive_entropy])
def test_scores_from_draws_equal_those_on_the_cpu(score):
    found, wanted = (
        torch.cat([score(p) for p in context(device, LARGE).drawn_probabilities()])
        for device in (CUDA, CPU)
    )
    alike(found, wanted, 1e-3)


def test_epig_from_draws_equals_that_on_the_cpu():
    draws, targets = (normal(k, 20, 12, 4).softmax(dim=-1) for k in range(2))
    alike(scores.epig(draws.to(CUDA), targets.to(CUDA)), scores.epig(draws, targets), 1e-9)


def test_explanations_equal_those_on_the_cpu():
    names = ("ant", "bee", "cat", "dog")
    image = Image(1, "0" * 64, Role.POOL, 12, 12, ("a.png",))
    found, wanted = (
        explain(CalibratedLearner(q.learner), q.table, 9, q.candidates, image, names, seed=3)
        for q in (context(CUDA), context(CPU))
    )
    for part in ("total", "aleatoric"):
        one, other = getattr(found.uncertainty, part), getattr(wanted.uncertainty, part)
        assert one == pytest.approx(other, rel=1e-3)
    assert found.conflict == wanted.conflict
    assert found.by_bald.rank == wanted.by_bald.rank


def test_metrics_and_temperature_equal_those_on_the_cpu():
    logits, labels = 3 * normal(1, 200, 5), torch.arange(200) % 5
    found, wanted = (
        measure(logits.to(d).softmax(dim=-1), labels.to(d)).as_json(tuple("abcde"))
        for d in (CUDA, CPU)
    )
    assert found["accuracy"] == wanted["accuracy"]
    for name in ("nlpd", "brier", "ece", "ece_floor", "macro_f1"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-9)
    one, other = (fit_temperature(logits.to(d), labels.to(d)) for d in (CUDA, CPU))
    assert one.temperature == pytest.approx(other.temperature, rel=1e-5)


# ---------------------------------------------------------------------------------------- posteriors


def same_factors(found: KroneckerFactors, wanted: KroneckerFactors) -> None:
    assert found.pairs == wanted.pairs
    alike(found.activation, wanted.activation)
    alike(found.embedding, wanted.embedding)


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_curvature_of_pairs_equals_that_on_the_cpu(loss: Loss):
    made = small_model(images=50, residuals=True, loss=loss, dtype=torch.float32)
    found, wanted = (
        pair_curvature(
            made.head.to(d), made.images.to(d), made.texts.to(d), batch=20, budget=1 << 12
        )
        for d in (CUDA, CPU)
    )
    same_factors(found.image, wanted.image)
    same_factors(found.text, wanted.text)
    means = made.head.to(CUDA), made.head
    one, other = (
        KroneckerPosterior.from_factors(head.image_projection, factors.image)
        for head, factors in zip(means, (found, wanted), strict=True)
    )
    assert one.prior_precision == pytest.approx(other.prior_precision, rel=1e-4)
    alike(one.activation.values, other.activation.values)
    alike(one.embedding_covariance(), other.embedding_covariance())


def test_curvature_of_a_pool_equals_that_on_the_cpu():
    made = model(*LARGE[:2])
    table = FeatureTable.from_features([f"{k}" for k in range(600)], made.images)
    found, wanted = (
        pool_factors(made.head.to(d), table, torch.arange(600), made.classes.to(d), batch=128)
        for d in (CUDA, CPU)
    )
    same_factors(found.image, wanted.image)
    same_factors(found.text, wanted.text)


def test_moments_and_drawn_probabilities_equal_those_on_the_cpu():
    made = model(*SMALL[:2])
    table = FeatureTable.from_features([f"{k}" for k in range(40)], made.images)

    def computed(device: torch.device) -> list[Tensor]:
        head, belief = made.head.to(device), made.posterior.to(device)
        classes = made.classes.to(device)
        moments = [m for _, m in stream_moments(table, None, head, belief, classes, budget=1 << 13)]
        drawn = sampled_probabilities(
            head, belief, made.images.to(device), classes, 5, torch.Generator().manual_seed(2)
        )
        mean, variance = (torch.cat([getattr(m, n) for m in moments]) for n in ("mean", "variance"))
        return [mean, variance, drawn]

    for found, wanted in zip(computed(CUDA), computed(CPU), strict=True):
        alike(found, wanted)


def test_prompt_ensembles_equal_those_on_the_cpu_and_are_deterministic():
    head, prompts = model(*SMALL[:2]).head, normal(7, 2000, 20, dtype=torch.float32)
    of_class = torch.arange(2000) % 3
    wanted = ensemble_prompts(head, prompts, of_class)
    found = [ensemble_prompts(head.to(CUDA), prompts.to(CUDA), of_class.to(CUDA)) for _ in range(4)]
    alike(found[0], wanted)
    assert all(torch.equal(found[0], other) for other in found[1:])
