"""Explanations: the parts add up, the ranks are those of the pool, the draws those of the strategies."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation import predictive_variance
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.predictive_variance import label_covariance
from alworkbench.core.domain import Calibration, CalibrationSource, Image, Role
from alworkbench.features.table import FeatureTable
from alworkbench.project import explain as explain_module
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.explain import explain
from alworkbench.project.image_belief import SETTLED, SPREAD, class_beliefs, in_conflict, spread
from alworkbench.project.rank_in_pool import pool_scores, standing
from alworkbench.project.uncertainty_parts import (
    IMAGE_DRAWS,
    SET_OF_DRAWS,
    drawn_logits,
    standard_error,
    uncertainty,
)
from tests.factories import normal, small_model

NAMES = ("ant", "bee", "cat", "dog")
IMAGE = Image(1, "0" * 64, Role.POOL, 12, 12, ("a.png",))


def table_and_learner(labels: int = 0, images: int = 40) -> tuple[FeatureTable, Learner]:
    model = small_model(images=images, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(0.05, 0.05), model.classes)
    targets = torch.eye(4, dtype=torch.float64)[torch.arange(labels) % 4]
    learner = learn(start, model.images[:labels], targets)
    hashes = [str(k) for k in range(images)]
    return FeatureTable.from_features(hashes, model.images), learner


def explained(learner: Learner, table: FeatureTable, row: int, pool: range):
    return explain(
        CalibratedLearner(learner), table, row, torch.tensor(list(pool)), IMAGE, NAMES, seed=3
    )


def test_a_model_with_sigmoid_loss_and_residuals_is_explained_like_any_other():
    model = small_model(images=12, residuals=True, loss="siglip", dtype=torch.float32)
    learner = zero_shot(model.head, model.posterior, model.classes)
    table = FeatureTable.from_features([str(k) for k in range(12)], model.images)
    found = explained(learner, table, 3, range(12))
    own = learner.logits(model.images)[3].softmax(dim=-1).tolist()
    assert {b.name: pytest.approx(b.probability, abs=1e-6) for b in found.classes} == dict(
        zip(NAMES, own, strict=True)
    )
    assert found.uncertainty.total > found.uncertainty.aleatoric > 0


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 9), st.floats(0.01, 30))
def test_the_total_is_the_sum_of_its_parts(seed, draws, classes, scale):
    found = uncertainty((scale * normal(seed, draws, classes)).softmax(dim=-1))
    assert found.total == pytest.approx(found.epistemic + found.aleatoric, abs=1e-12)
    assert 0 <= found.epistemic <= found.total <= math.log(classes) + 1e-12
    assert found.aleatoric >= 0


def test_equal_draws_have_no_epistemic_part_and_certain_draws_no_aleatoric_part():
    same = uncertainty(torch.tensor([[0.5, 0.5]] * 8))
    assert same.epistemic == pytest.approx(0, abs=1e-12)
    assert same.aleatoric == pytest.approx(math.log(2))
    opposed = uncertainty(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert opposed.aleatoric == 0
    assert opposed.epistemic == pytest.approx(math.log(2))


class TestBeliefs:
    draws = torch.tensor([0.0, 1.0, -3.0, 0.5]) + 2 * normal(1, 4000, 4)
    logits = torch.tensor([0.0, 1.0, -3.0, 0.5])
    shown = logits.softmax(dim=-1)
    between = spread(draws.double().softmax(dim=-1))

    def believed(self):
        return class_beliefs(
            NAMES, self.logits, self.draws.var(dim=0), self.draws, self.shown, self.between
        )

    def test_they_are_probabilities_and_moments(self):
        found = self.believed()
        for name in ("probability", "moderated", "wins"):
            assert sum(getattr(b, name) for b in found) == pytest.approx(1)
        by_name = {b.name: b for b in found}
        for k, name in enumerate(NAMES):
            assert by_name[name].mean == pytest.approx(float(self.logits[k]), abs=0.2)
            assert by_name[name].deviation == pytest.approx(2, rel=0.05)
            assert by_name[name].probability == pytest.approx(float(self.logits.softmax(-1)[k]))

    def test_the_likeliest_comes_first_and_moderation_keeps_it_less_sure(self):
        found = self.believed()
        assert [b.name for b in found] == ["bee", "dog", "ant", "cat"]
        assert found[0].moderated < found[0].probability

    def test_those_in_conflict_win_the_draws_and_no_fewer_would(self):
        found = self.believed()
        wins = {b.name: b.wins for b in found}
        conflict = in_conflict(found)
        assert sum(wins[name] for name in conflict) >= SETTLED
        assert sum(wins[name] for name in conflict[:-1]) < SETTLED

    def test_the_spread_of_a_class_holds_its_share_of_the_draws(self):
        drawn = self.draws.double().softmax(dim=-1)
        for belief in self.believed():
            own = drawn[:, NAMES.index(belief.name)]
            within = ((own >= belief.low) & (own <= belief.high)).double().mean()
            assert float(within) == pytest.approx(SPREAD, abs=2 / len(own))
            assert 0 <= belief.low <= belief.high <= 1

    def test_a_class_that_always_wins_is_in_no_conflict(self):
        close = self.logits + 0.01 * self.draws
        found = class_beliefs(NAMES, self.logits, close.var(dim=0), close, self.shown, self.between)
        assert in_conflict(found) == ("bee",)


class TestStanding:
    @given(st.lists(st.floats(0, 3, width=32), max_size=50), st.floats(0, 3, width=32))
    def test_rank_and_percentile_are_of_the_same_order(self, others, score):
        found = standing(score, torch.tensor(others), len(others))
        assert found.exact
        assert found.low == found.rank == found.high
        assert 1 <= found.rank <= found.of == len(others) + 1
        assert 0 <= found.percentile <= 100
        assert (found.rank == 1) == (found.percentile == 100)
        if others:
            share = 100 * (found.of - found.rank) / len(others)
            assert found.percentile == pytest.approx(share)

    def test_the_last_of_all_is_at_zero(self):
        found = standing(0.1, torch.tensor([0.2, 0.3]), 2)
        assert (found.rank, found.of, found.percentile) == (3, 3, 0.0)

    @given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 5000))
    def test_an_estimated_rank_lies_within_what_the_sample_leaves_possible(self, n, above, more):
        above = min(above, n)
        scored = torch.cat([torch.ones(above), -torch.ones(n - above)])
        found = standing(0.0, scored, n + more)
        assert not found.exact
        assert above + 1 <= found.low <= found.rank <= found.high <= above + more + 1
        assert found.percentile == pytest.approx(100 * (n - above) / n)

    def test_the_interval_holds_the_rank_in_at_least_95_percent_of_samples(self):
        pool, generator = torch.arange(2000.0), torch.Generator().manual_seed(1)
        for rank in (1, 20, 700, 2000):
            score = 2000.0 - rank
            others = pool[pool != score]
            found = [
                standing(score, others[torch.randperm(1999, generator=generator)[:200]], 1999)
                for _ in range(400)
            ]
            assert sum(each.low <= rank <= each.high for each in found) >= 0.93 * len(found)
            if rank == 700:
                assert abs(sum(each.rank for each in found) / len(found) - rank) < 15


@pytest.mark.parametrize("labels", [0, 9])
class TestInAPool:
    def test_the_top_of_each_score_is_at_100(self, labels):
        table, learner = table_and_learner(labels)
        rows = torch.arange(40)
        scores = pool_scores(learner, table, rows, learner.draws(SET_OF_DRAWS, 3))
        top = explained(learner, table, int(scores.entropy.argmax()), range(40)).by_entropy
        assert (top.rank, top.of, top.percentile) == (1, 40, 100.0)
        top = explained(learner, table, int(scores.bald.argmax()), range(40)).by_bald
        assert (top.rank, top.percentile) == (1, 100.0)
        last = explained(learner, table, int(scores.bald.argmin()), range(40)).by_bald
        assert (last.rank, last.percentile) == (40, 0.0)

    def test_blocks_of_any_size_give_the_same_scores(self, labels):
        table, learner = table_and_learner(labels)
        draws = learner.draws(SET_OF_DRAWS, 3)
        whole = pool_scores(learner, table, torch.arange(40), draws)
        pieces = pool_scores(learner, table, torch.arange(40), draws, memory=1)
        assert torch.allclose(whole.entropy, pieces.entropy, atol=1e-5)
        assert torch.allclose(whole.bald, pieces.bald, atol=1e-5)

    def test_the_first_is_the_one_that_the_strategy_asks(self, labels):
        table, learner = table_and_learner(labels)
        rows = torch.arange(40)
        context = AcquisitionContext(table, rows, rows, learner, 1, 0, draw_seed=3)
        for name, field in (("bald", "by_bald"), ("predictive-entropy", "by_entropy")):
            chosen = find_strategy(name).select(context)
            found = getattr(explained(learner, table, chosen.rows[0], range(40)), field)
            assert found.rank == 1
            assert found.score == pytest.approx(chosen.scores[0], abs=1e-5)

    def test_a_large_pool_is_ranked_by_a_sample_with_the_exact_scores(self, labels, monkeypatch):
        table, learner = table_and_learner(labels)
        exact = explained(learner, table, 7, range(40))
        monkeypatch.setattr(explain_module, "RANKED", 12)
        found = explained(learner, table, 7, range(40))
        assert found.uncertainty == exact.uncertainty
        for estimated, true in (
            (found.by_entropy, exact.by_entropy),
            (found.by_bald, exact.by_bald),
        ):
            assert (estimated.score, estimated.of) == (true.score, true.of)
            assert estimated.compared == 12
            assert estimated.low <= true.rank <= estimated.high
        assert found == explained(learner, table, 7, range(40))

    def test_an_image_outside_is_ranked_against_the_pool_all_the_same(self, labels):
        table, learner = table_and_learner(labels)
        inside = explained(learner, table, 5, range(40))
        outside = explained(learner, table, 5, range(10, 40))
        assert inside.in_pool
        assert not outside.in_pool
        assert outside.by_bald.of == 31
        assert outside.uncertainty == inside.uncertainty
        assert explained(learner, table, 5, range(5, 6)).by_bald.percentile == 100

    def test_a_temperature_narrows_the_spreads_with_the_shown_probabilities(self, labels):
        """Probability and spread are on one scale; the parts are of the plain model."""
        table, learner = table_and_learner(labels)
        flat = CalibratedLearner(learner, Calibration(CalibrationSource.AUDIT, 40, 1e6))
        pool = torch.arange(40)
        found = explain(flat, table, 4, pool, IMAGE, NAMES, seed=3)
        for belief in found.classes:
            for value in (belief.low, belief.probability, belief.high):
                assert value == pytest.approx(1 / len(NAMES), abs=1e-3)
        assert found.uncertainty == explained(learner, table, 4, range(40)).uncertainty

    def test_the_same_seed_explains_the_same(self, labels):
        table, learner = table_and_learner(labels)
        assert explained(learner, table, 4, range(40)) == explained(learner, table, 4, range(40))

    def test_the_closed_form_is_what_many_draws_of_the_weights_tend_to(self, labels):
        table, learner = table_and_learner(labels)
        found = explained(learner, table, 20, range(40))
        assert found.closed_form
        assert (found.draws, found.labels) == (IMAGE_DRAWS, labels)
        features = table.gather(torch.tensor([20]))
        many = drawn_logits(learner, features, learner.draws(6000, 77))[:, 0].double()
        for k, name in enumerate(NAMES):
            belief = next(b for b in found.classes if b.name == name)
            spread = float(many[:, k].std())
            assert belief.deviation == pytest.approx(spread, rel=5 / math.sqrt(2 * 6000))
            assert belief.mean == pytest.approx(
                float(many[:, k].mean()), abs=5 * spread / 6000**0.5
            )
            assert belief.wins == pytest.approx(
                float((many.argmax(dim=1) == k).double().mean()), abs=5 * 0.5 / 6000**0.5
            )
        covariance = label_covariance(learner, features)
        scale = covariance.diagonal().sqrt()
        error = 5 * torch.outer(scale, scale) * (2 / 6000) ** 0.5
        assert ((covariance - torch.cov(many.T)).abs() <= error).all()
        probabilities = many.softmax(dim=-1)
        drawn = uncertainty(probabilities)
        error = 5 * (found.error**2 + standard_error(probabilities) ** 2) ** 0.5
        for part in ("total", "epistemic", "aleatoric"):
            wanted = getattr(drawn, part)
            assert getattr(found.uncertainty, part) == pytest.approx(wanted, abs=error)

    def test_without_memory_for_the_closed_form_the_draws_of_the_ranks_are_used(
        self, labels, monkeypatch
    ):
        table, learner = table_and_learner(labels)
        exact = explained(learner, table, 20, range(40))
        monkeypatch.setattr(predictive_variance, "BLOCK_NUMBERS", 1)
        found = explained(learner, table, 20, range(40))
        assert not found.closed_form
        assert found.draws == SET_OF_DRAWS
        assert found.error > exact.error
        error = 5 * (found.error**2 + exact.error**2) ** 0.5
        for part in ("total", "epistemic", "aleatoric"):
            wanted = getattr(exact.uncertainty, part)
            assert getattr(found.uncertainty, part) == pytest.approx(wanted, abs=error)
        assert [b.mean for b in found.classes if b.name == "ant"] == [
            b.mean for b in exact.classes if b.name == "ant"
        ]


@pytest.mark.parametrize(("seed", "classes"), [(1, 2), (2, 9)])
def test_the_standard_error_is_the_spread_of_estimates_from_other_draws(seed, classes):
    logits = (2 * normal(seed, 400, 64, classes)).softmax(dim=-1)
    found = [uncertainty(draws) for draws in logits]
    spread = max(
        float(torch.tensor([getattr(each, part) for each in found]).std())
        for part in ("total", "epistemic", "aleatoric")
    )
    stated = sum(standard_error(draws) for draws in logits) / len(logits)
    assert stated == pytest.approx(spread, rel=0.25)
