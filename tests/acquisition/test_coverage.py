"""The default strategy against its formula, computed plainly: every gain again for every pick."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch

from alworkbench.acquisition import coverage as module
from alworkbench.acquisition import facility_location
from alworkbench.acquisition import strategy as strategy_module
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.facility_location import is_due
from alworkbench.acquisition.similarity import directions_of, root_given_labels
from alworkbench.adaptation.learning import learn
from alworkbench.core.domain import DEFAULT_STRATEGY, Goal
from alworkbench.encoders.head import Features
from tests.acquisition.coverage_case import POOL, ROUNDING, Case, apart, small_case, written
from tests.factories import generator, normal

CASES: dict[str, Callable[[], Case]] = {
    "labels": small_case,
    "no labels": lambda: small_case(1, labels=()),
    "two classes": lambda: small_case(2, classes=2, labels=(0, 1, 1)),
    "all labels of one class": lambda: small_case(3, labels=(2,) * 5),
    "some refused": lambda: small_case(4).with_(
        refused=torch.tensor([4, 9]), candidates=torch.arange(10, POOL)
    ),
    "some pending": lambda: small_case(4).with_(
        pending=torch.tensor([4, 9]), candidates=torch.arange(10, POOL)
    ),
    "every image counts alike": lambda: small_case(5).with_(goal=Goal.ACCURACY),
    "all": lambda: small_case(6).with_(batch_size=POOL),
    "one candidate": lambda: small_case(7).with_(candidates=torch.tensor([11])),
    "one target": lambda: small_case(8).with_(targets=torch.tensor([20])),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param()


@pytest.fixture(autouse=True)
def no_random_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster assumption holds: every pick has the largest gain."""
    monkeypatch.setattr(module, "uninformative_before_labels", lambda *_: 0.0)
    monkeypatch.setattr(module, "uninformative_given_labels", lambda *_: 0.0)


def test_it_is_the_default() -> None:
    assert find_strategy("default") is find_strategy(DEFAULT_STRATEGY) is find_strategy("coverage")


@pytest.fixture(params=[0.0, 0.3, 0.5, 1.0])
def strong_share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Share of the picks in the strong setting."""
    monkeypatch.setattr(module, "_strong_share", lambda _: request.param)
    return request.param


class TestEveryBatch:
    def test_it_is_that_of_the_plain_greedy_algorithm(
        self, case: Case, strong_share: float
    ) -> None:
        """The same picks and gains as when every candidate's gain is computed anew each time."""
        rows = case.context.candidates
        kernel = case.similarity(rows, case.probabilities(rows))
        uncertainty = case.uncertainty(rows)
        (weak, strong), covered = case.both_weights(), case.covered()
        context = case.context
        before = len(context.labelled) + len(context.refused) + len(context.pending)
        free = torch.ones(len(kernel), dtype=torch.bool)
        found = case.select()
        assert len(found.rows) == min(case.context.batch_size, len(kernel))
        for turn, (row, score) in enumerate(zip(found.rows, found.scores, strict=True), before):
            added = (kernel - covered).clamp_min(0)
            due = int((turn + 1) * strong_share + 1e-9) > int(turn * strong_share + 1e-9)
            appeal = added @ strong if due else added @ weak * uncertainty
            appeal = appeal.masked_fill(~free, -1)
            if float(appeal.max()) < ROUNDING:  # rounding decides from here on
                assert score < 1e3 * ROUNDING
                break
            place = rows.tolist().index(row)
            assert float(appeal[place]) == pytest.approx(float(appeal.max()), abs=ROUNDING)
            gain = float(added[place] @ (weak + strong)) / 2
            assert score == pytest.approx(gain, abs=ROUNDING)
            covered = torch.maximum(covered, kernel[place])
            free[place] = False

    def test_it_goes_on_with_the_same_images_where_its_first_ones_are_pending(
        self, case: Case, strong_share: float
    ) -> None:
        """An open round that nobody has answered is a part of the batch that was picked already."""
        whole, first = case.select(), case.with_(batch_size=3).select().rows
        left = [row for row in case.context.candidates.tolist() if row not in first]
        if not left:
            return
        rest = case.with_(
            pending=torch.cat([case.context.pending, torch.tensor(first)]),
            candidates=torch.tensor(left),
            batch_size=max(1, len(whole.rows) - 3),
        ).select()
        gained = torch.tensor(whole.scores[3:]) > ROUNDING  # else rounding decides on the order
        assert [row for row, more in zip(rest.rows, gained, strict=True) if more] == [
            row for row, more in zip(whole.rows[3:], gained, strict=True) if more
        ]
        assert rest.scores == pytest.approx(whole.scores[3:], abs=ROUNDING)

    def test_gains_are_shares_of_the_uncertainty(self, case: Case) -> None:
        scores = case.select().scores
        assert all(0 <= score <= 1 for score in scores)
        assert sum(scores) <= 1 + ROUNDING

    def test_its_gains_sum_to_what_the_batch_represents(self, case: Case) -> None:
        found = case.select()
        assert sum(found.scores) == pytest.approx(case.value()(found.rows), abs=ROUNDING)

    def test_blocks_of_any_size_and_any_order_change_nothing(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = case.select()
        order = torch.randperm(len(case.context.candidates), generator=generator(1))
        turned = case.with_(candidates=case.context.candidates[order])
        needed = find_strategy("coverage").cost(case.context.size).memory
        others = [turned.select(), case.with_(memory=2 * needed).select()]
        for rows in (1, 3):
            monkeypatch.setattr(strategy_module, "BLOCK_ROWS", rows)
            others.append(case.select())
        # where nothing is left to gain, rounding decides on the order
        told = sum(score > ROUNDING for score in whole.scores)
        for other in others:
            assert other.rows[:told] == whole.rows[:told]
            assert set(other.rows) == set(whole.rows) or told < len(whole.rows)
            assert other.scores == pytest.approx(whole.scores, abs=ROUNDING)

    def test_it_is_reproducible_from_any_seed(self, case: Case) -> None:
        assert case.select() == case.select() == case.with_(seed=99, draw_seed=7).select()


@pytest.mark.parametrize("seed", range(4))
def test_with_strong_shrinkage_alone_a_batch_has_at_least_63_percent_of_the_best_value(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_strong_share", lambda _: 1.0)
    case = small_case(seed).with_(batch_size=3, candidates=torch.arange(4, 16))
    strong = case.both_weights()[1]
    monkeypatch.setattr(Case, "both_weights", lambda _: (strong, strong))
    value = case.value()
    found = value(case.select().rows)
    best = max(map(value, itertools.combinations(case.context.candidates.tolist(), 3)))
    assert (1 - 1 / math.e) * best <= found <= best + ROUNDING


def test_the_number_of_gains_computed_at_once_does_not_change_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = small_case(labels=()).with_(batch_size=12)
    batches = []
    for at_once in (1, 2, 7, 64):
        monkeypatch.setattr(facility_location, "GAINS_AT_ONCE", at_once)
        batches.append(case.select())
    for other in batches[1:]:
        assert other.rows == batches[0].rows
        assert other.scores == pytest.approx(batches[0].scores, abs=ROUNDING)


def test_if_the_pool_is_the_target_its_unanswered_images_are_the_targets(case: Case) -> None:
    """Whatever targets were given."""
    every = case.with_(targets=case.context.candidates).select()
    for targets in (case.context.targets, case.context.candidates[:1]):
        assert case.with_(targets=targets, pool_is_target=True).select() == every


@pytest.mark.parametrize(("share", "random_picks"), [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_the_probability_that_similarity_is_uninformative_is_the_random_share(
    share: float, random_picks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random picks are evenly spread; the other picks have the largest gain given all earlier ones."""
    monkeypatch.setattr(module, "uninformative_given_labels", lambda *_: share)
    case, value = small_case(), small_case().value()
    batches = [case.with_(seed=seed).select() for seed in range(12)]
    for found in batches:
        assert len(set(found.rows)) == len(found.rows) == 8
        for turn, score in enumerate(found.scores):
            gain = value(found.rows[: turn + 1]) - (value(found.rows[:turn]) if turn else 0)
            assert score == pytest.approx(gain, abs=ROUNDING)
    # Picks before the first random one do not depend on the seed; the first random one does.
    first = 8 if not random_picks else 8 // random_picks - 1
    assert len({found.rows[:first] for found in batches}) == 1
    if random_picks:
        at_random = {found.rows[first] for found in batches}
        assert len(at_random) > 4
    assert case.with_(seed=3).select() == batches[3]


def test_without_labels_the_pool_alone_decides_the_random_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = small_case(labels=())
    assert case.select() == case.with_(seed=99).select()
    monkeypatch.setattr(module, "uninformative_before_labels", lambda *_: 1.0)
    assert len({case.with_(seed=seed).select().rows for seed in range(5)}) == 5


def test_with_the_goal_balanced_random_picks_take_predicted_classes_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "uninformative_before_labels", lambda *_: 1.0)
    case = apart((36, 4)).with_(batch_size=8)
    for seed in range(4):
        rows = case.with_(seed=seed, goal=Goal.BALANCED).select().rows
        assert [sum(row < 36 for row in rows[:k]) for k in (2, 4, 6, 8)] == [1, 2, 3, 4]
    plain = {case.with_(seed=seed, goal=Goal.ACCURACY).select().rows for seed in range(4)}
    assert len(plain) == 4
    assert any(sum(row < 36 for row in rows) > 4 for rows in plain)


def test_a_copy_of_an_image_with_the_predicted_label_gains_nothing() -> None:
    """The model is certain of the class that the label names."""
    activations = normal(1, 12, 7, dtype=torch.float32)
    activations[0, :3] = torch.tensor([60.0, 0.0, 0.0])
    activations[1] = activations[0]
    case = written(activations, 3).with_(candidates=torch.tensor([1]))
    told = case.with_(labelled=torch.tensor([0]), labels=torch.tensor([0]))
    assert case.select().scores[0] > 0.01
    assert told.select().scores[0] == pytest.approx(0, abs=ROUNDING)


def test_a_copy_of_an_image_with_another_label_than_predicted_has_a_gain() -> None:
    activations = normal(1, 12, 7, dtype=torch.float32)
    activations[0, :3] = torch.tensor([60.0, 0.0, 0.0])
    activations[1] = activations[0]
    case = written(activations, 3).with_(
        candidates=torch.tensor([1]), labelled=torch.tensor([0]), labels=torch.tensor([2])
    )
    assert case.select().scores[0] > 0.01


def test_a_copy_of_a_refused_image_gains_nothing() -> None:
    """Whether the model is certain of it or undecided."""
    activations = normal(2, 12, 7, dtype=torch.float32)
    activations[5], activations[6] = activations[0], 3 * activations[0]  # only directions count
    for row in (5, 6):
        case = written(activations, 4).with_(candidates=torch.tensor([row]))
        assert case.select().scores[0] > 0.01
        refused = case.with_(refused=torch.tensor([0]))
        assert refused.select().scores[0] == pytest.approx(0, abs=ROUNDING)


def test_with_the_goal_balanced_predicted_classes_count_equally() -> None:
    case = apart((36, 4)).with_(batch_size=2)
    plain = case.with_(goal=Goal.ACCURACY).select()
    assert plain.scores == pytest.approx((0.9, 0.1), abs=0.01)
    balanced = case.with_(goal=Goal.BALANCED).select()
    assert balanced.scores == pytest.approx((0.5, 0.5), abs=0.02)
    for found in (plain, balanced):
        assert len({row < 36 for row in found.rows}) == 2


def test_one_of_each_group_of_copies_is_picked_before_a_second_one() -> None:
    few = normal(3, 5, 7, dtype=torch.float32)
    case = written(few.repeat(4, 1), 3).with_(batch_size=20)
    found = case.select()
    assert sorted(row % 5 for row in found.rows[:5]) == list(range(5))
    assert found.scores[5:] == pytest.approx([0.0] * 15, abs=ROUNDING)
    assert sorted(found.rows) == list(range(20))


def test_a_pool_of_copies_of_one_image_is_picked_to_its_end() -> None:
    case = written(normal(4, 1, 7, dtype=torch.float32).expand(9, 7), 3).with_(batch_size=9)
    found = case.select()
    assert found.scores[0] == pytest.approx(1, abs=1e-3)
    assert found.scores[1:] == pytest.approx([0.0] * 8, abs=ROUNDING)
    assert sorted(found.rows) == list(range(9))


def test_without_any_uncertainty_the_batch_is_complete_and_scores_are_in_range() -> None:
    activations = torch.zeros(10, 5)
    activations[torch.arange(10), torch.arange(10) % 2] = 200.0
    activations[:, 4] = torch.arange(10.0)
    found = written(activations, 2).with_(batch_size=4).select()
    assert len(set(found.rows)) == 4
    assert all(0 <= score <= 1 for score in found.scores)


def test_labels_remove_similarity_that_all_images_share() -> None:
    """One direction dominates all images; labels condition on it."""
    activations = 0.3 * normal(5, 30, 7, dtype=torch.float32) + torch.tensor([3.0] + 6 * [0.0])
    case = written(activations, 3)
    told = case.with_(
        labelled=torch.arange(10), labels=torch.arange(10) % 3, candidates=torch.arange(10, 30)
    )
    seen = [
        directions_of(Features(activations[10:]), root_given_labels(each.context, 4096))
        for each in (case, told)
    ]
    before, after = ((part @ part.T).clamp_min(0).square().mean() for part in seen)
    assert after < 0.6 * before


def test_the_share_of_strong_shrinkage_follows_the_contamination_rate() -> None:
    """The rate is that of the zero-shot predictions, whatever the learner learned."""
    case = small_case(labels=())
    assert module._strong_share(case.context) == 0.5
    told = torch.arange(POOL)
    predicted = case.context.logits_of(told).argmax(-1)
    shares = []
    for labels in (predicted, (predicted + 1) % 4):
        truth = torch.nn.functional.one_hot(labels, 4).double()
        learned = learn(case.context.learner, case.context.table.gather(told), truth)
        changed = case.with_(labelled=told, labels=labels)
        shares.append(module._strong_share(changed.context))
        assert module._strong_share(changed.with_(learner=learned).context) == shares[-1]
        assert module._strong_share(changed.with_(unknown_names=1).context) == 1.0
    assert shares[0] < 0.5 < shares[1] <= 1


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.37, 1.0])
def test_turns_of_a_share_are_evenly_spread(share: float) -> None:
    due = [is_due(turn, share) for turn in range(200)]
    for start in range(0, 200, 7):
        for count in (1, 10, 60):
            part = due[start : start + count]
            assert abs(sum(part) - share * len(part)) < 1 + 1e-6
