"""Scores in their theoretical ranges; draw-space EPIG against the sampled truth and its dense form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from alworkbench.acquisition.epig.draw_space import DrawSpace, TargetSummary, greedy_epig
from alworkbench.acquisition.epig.sampled import sampled_epig, sampled_interval
from alworkbench.acquisition.scores import (
    bald,
    entropy,
    epig,
    least_confidence,
    margin,
    predictive_entropy,
)
from alworkbench.adaptation.label_gram import softmax_curvature_roots
from tests.factories import generator, normal, small_model


def random_draws(seed, draws, images, classes, spread=2.0):
    return (spread * normal(seed, draws, images, classes)).softmax(dim=-1)


@given(st.integers(0, 9999), st.integers(2, 9), st.integers(2, 6))
def test_epig_is_at_most_bald_and_bald_at_most_the_entropy(seed, draws, classes):
    """0 <= EPIG <= BALD <= H <= log C, exactly, when the draws are shared."""
    pool = random_draws(seed, draws, 5, classes)
    targets = random_draws(seed + 1, draws, 4, classes)
    gain, information, total = epig(pool, targets), bald(pool), predictive_entropy(pool)
    assert (gain >= -1e-12).all()
    assert (gain <= information + 1e-12).all()
    assert (information <= total + 1e-12).all()
    assert (total <= math.log(classes) + 1e-12).all()


def test_entropy_and_margin_at_their_ends():
    certain = torch.tensor([[1.0, 0, 0]])
    even = torch.full((1, 3), 1 / 3)
    assert float(entropy(certain)) == 0
    assert math.isclose(float(entropy(even)), math.log(3), rel_tol=1e-6)
    assert float(margin(certain)) == 1
    assert abs(float(margin(even))) < 1e-7


def spaces(seed=0, draws=24, images=9, targets=7, classes=3):
    def space(k, n):
        return DrawSpace.of(normal(seed + k, draws, n, classes), normal(seed + k + 10, n, classes))

    return space(1, images), space(2, targets)


def dense_scores(pool, targets, weights, picked):
    """The same from the dense joint covariance of all logits, conditioned on the picks."""
    everything = [*range(len(pool))]
    roots = softmax_curvature_roots(torch.cat([pool.probabilities, targets.probabilities]))
    seen = torch.cat([pool.seen, targets.seen])  # N+M C K
    # R is singular, so V does not give the draws back: any D with V = D R has the same scores
    flat = (torch.linalg.pinv(roots).mT @ seen).flatten(0, 1)
    count, classes, _ = seen.shape
    cov = flat @ flat.T
    for row in picked:
        own = slice(row * classes, (row + 1) * classes)
        curvature = roots[row] @ roots[row].T
        eye = torch.eye(classes, dtype=cov.dtype)
        gain = torch.linalg.solve(eye + curvature @ cov[own, own], curvature)
        cov = cov - cov[:, own] @ gain @ cov[own, :]
    cov = cov.reshape(count, classes, count, classes)
    scores = []
    for i in everything:
        total = 0.0
        curvature = roots[i] @ roots[i].T
        eye = torch.eye(classes, dtype=cov.dtype)
        g = torch.linalg.solve(eye + curvature @ cov[i, :, i], curvature)
        for j, weight in enumerate(weights / weights.sum()):
            t = len(pool) + j
            other = roots[t] @ roots[t].T
            w = torch.linalg.solve(eye + other @ cov[t, :, t], other)
            cross = cov[i, :, t]
            total += 0.5 * float(weight) * float(torch.trace(g @ cross @ w @ cross.T))
        scores.append(total)
    return torch.tensor(scores, dtype=torch.float64)


def test_greedy_scores_are_those_of_the_dense_gaussian_after_each_pick():
    pool, targets = spaces()
    weights = torch.tensor([1.0, 2, 1, 1, 3, 1, 1], dtype=torch.float64)
    picks = greedy_epig(pool, targets, weights, 4)
    done: list[int] = []
    for pick in picks:
        wanted = dense_scores(pool, targets, weights, done)
        wanted[done] = -torch.inf
        assert pick.row == int(wanted.argmax())
        assert math.isclose(pick.score, float(wanted[pick.row]), rel_tol=1e-8)
        done.append(pick.row)


def test_blocks_do_not_change_the_batch():
    pool, targets = spaces()
    weights = torch.ones(len(targets), dtype=torch.float64)
    small = greedy_epig(pool, targets, weights, 5, block=2)
    whole = greedy_epig(pool, targets, weights, 5)
    assert [pick.row for pick in small] == [pick.row for pick in whole]
    for one, other in zip(small, whole, strict=True):
        assert math.isclose(one.score, other.score, rel_tol=1e-9)


def test_a_copy_of_a_picked_image_has_a_lower_score():
    pool, targets = spaces()
    twice = DrawSpace(
        torch.cat([pool.seen, pool.seen]), torch.cat([pool.probabilities, pool.probabilities])
    )
    weights = torch.ones(len(targets), dtype=torch.float64)
    first, *_ = greedy_epig(pool, targets, weights, 1)
    picks = greedy_epig(twice, targets, weights, len(twice))
    scores = {pick.row: pick.score for pick in picks}
    copy = (first.row + len(pool)) % len(twice)
    assert scores[copy] < scores[first.row]
    assert sorted(scores) == list(range(len(twice)))


def test_draw_space_ranks_as_sampled_epig_does():
    """With small deviations the second-order form and the sampled truth are one quantity."""
    model = small_model(images=60, classes=3, scale=2.0)
    linear = model.linearisation()
    pool = linear.images(model.images)
    target = linear.images(small_model(seed=70, images=20).images)
    tight = linear.sample(2000, generator(1))
    shrink = 0.3
    changes = shrink * linear.jvp(pool, tight), shrink * linear.jvp(target, tight)
    truth = epig((pool.logits + changes[0]).softmax(-1), (target.logits + changes[1]).softmax(-1))
    spaces = [
        DrawSpace.of(change, images.logits)
        for change, images in zip(changes, (pool, target), strict=True)
    ]
    ones = torch.ones(len(target), dtype=torch.float64)
    candidates, targets = spaces
    found = TargetSummary.of(targets, ones).scores(candidates)
    assert spearmanr(truth, found).statistic > 0.97


@given(st.integers(0, 9999), st.integers(2, 9), st.integers(2, 6))
def test_the_sampled_form_by_one_product_is_the_direct_one(seed, draws, classes):
    pool = random_draws(seed, draws, 5, classes)
    targets = random_draws(seed + 1, draws, 4, classes)
    assert torch.allclose(sampled_epig(pool, targets), epig(pool, targets), atol=1e-10)


@given(st.integers(0, 9999), st.integers(2, 6))
def test_least_confidence_stays_in_its_range(seed, classes):
    p = random_draws(seed, 1, 6, classes, spread=6.0)[0]
    found = least_confidence(p)
    assert ((found >= 0) & (found <= 1 - 1 / classes + 1e-12)).all()


@pytest.fixture(scope="module")
def linear_case():
    """A model with some hundred images; 20,000 joint draws are the truth."""
    small = small_model(images=80, classes=4, scale=4.0, embedding=6, image_size=9)
    linear = small.linearisation()
    images = linear.images(small.images)
    every = torch.arange(80)
    pool, targets = every[:50], every[50:]

    def drawn(count, seed):
        change = 0.4 * linear.jvp(images, linear.sample(count, generator(seed)))
        return change, (images.logits + change).softmax(-1)

    joint, own = 0.0, 0.0
    for seed in range(20):
        p = drawn(1000, 100 + seed)[1]
        joint = joint + torch.einsum("knc,kmd->ncmd", p[:, pool], p[:, targets])
        own = own + p.sum(dim=0)
    joint, own = joint / 20_000, own / 20_000
    together = torch.special.entr(joint).sum(dim=(1, 3)).mean(dim=-1)
    truth = entropy(own[pool]) + entropy(own[targets]).mean() - together
    return drawn, images.logits, pool, targets, truth


def test_the_truth_never_lies_outside_the_stated_interval(linear_case):
    drawn, _, pool, targets, truth = linear_case
    for draws in (64, 128, 512):
        for seed in range(4):
            p = drawn(draws, seed)[1]
            interval = sampled_interval(p[:, pool], p[:, targets])
            assert (interval.lower <= truth).all()
            assert (truth <= interval.upper).all()
            assert (interval.lower >= 0).all()
            assert (interval.upper <= math.log(4)).all()
            assert (interval.lower <= interval.estimate).all()
            assert (interval.estimate <= interval.upper).all()
    # the last ones are of 512 draws: they narrow
    wide = drawn(64, 0)[1]
    before = sampled_interval(wide[:, pool], wide[:, targets])
    assert (interval.upper - interval.lower).mean() < 0.5 * (before.upper - before.lower).mean()
    raw = sampled_epig(wide[:, pool], wide[:, targets])
    assert (before.estimate - truth).abs().mean() < (raw - truth).abs().mean()


def test_too_few_draws_for_an_interval_are_refused():
    p = random_draws(0, 20, 3, 3)
    with pytest.raises(ValueError, match="32 draws at least"):
        sampled_interval(p, p)


def test_the_bias_correction_brings_draw_space_nearer_to_the_truth(linear_case):
    drawn, logits, pool, targets, truth = linear_case

    def scores(draws, seed, corrected):
        change = drawn(draws, seed)[0]
        spaces = [DrawSpace.of(change[:, rows], logits[rows]) for rows in (pool, targets)]
        wanted = TargetSummary.of(spaces[1], torch.ones(len(targets), dtype=torch.float64))
        return wanted.scores(spaces[0], corrected=corrected)

    for draws in (32, 64):
        errors = [
            torch.stack([scores(draws, seed, own) - truth for seed in range(12)]).mean()
            for own in (False, True)
        ]
        assert abs(float(errors[1])) < 0.3 * abs(float(errors[0]))
    assert spearmanr(truth, scores(1024, 0, True)).statistic > 0.95
    assert torch.isfinite(scores(2, 0, True)).all()
