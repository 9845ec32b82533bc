"""The default strategy against its formula, computed here plainly: every gain anew for every pick."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from alworkbench.acquisition import cluster_assumption as kinship
from alworkbench.acquisition import coverage as module
from alworkbench.acquisition import strategy as registry
from alworkbench.acquisition import subsampling as considered
from alworkbench.acquisition import target_weights as doubt
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.cluster_assumption import LEAST, doubt_beforehand, doubt_of_kinship
from alworkbench.acquisition.contamination import misleading
from alworkbench.acquisition.similarity import directions_of, root_given_labels
from alworkbench.acquisition.strategy import AcquisitionContext, Batch
from alworkbench.adaptation.learner import Learner, learn, zero_shot
from alworkbench.core.domain import DEFAULT_STRATEGY, Goal
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.kronecker import Posterior
from tests.factories import SmallModel, generator, normal, small_model

ROUNDING = 2e-5
"""Of gains: pools stream in single precision."""
POOL, TARGETS = 30, 18
HALVES = torch.tensor([0.5, 0.5])


@dataclass(frozen=True)
class Asked:
    """A context, and the posterior that its ties are defined by."""

    context: AcquisitionContext
    posterior: Posterior

    def with_(self, **changes: object) -> Asked:
        return replace(self, context=replace(self.context, **changes))

    def select(self) -> Batch:
        return find_strategy("coverage").select(self.context)

    def correlations(self, rows: Tensor, others: Tensor) -> Tensor:
        """rho under the posterior of the image projection, negative ones as none."""
        side = self.posterior.image
        factor = side.activation.dense()
        precision = math.sqrt(side.pseudo_data_weight / side.pairs) * factor
        precision += math.sqrt(side.prior_precision) * torch.eye(len(factor))
        one, other = (
            self.context.table.gather(each).activations.double() for each in (rows, others)
        )
        covariance = precision.inverse()
        for row in self.context.labelled.tolist():  # one observation after the other
            seen = self.context.table.gather(torch.tensor([row])).activations[0].double()
            noise = 0.3 * seen @ precision.inverse() @ seen
            told = covariance @ seen
            covariance = covariance - torch.outer(told, told) / (seen @ told + noise)
        length = [(x @ covariance * x).sum(-1).sqrt() for x in (one, other)]
        return (one @ covariance @ other.T / length[0][:, None] / length[1]).clamp_min(0)

    def probabilities(self, rows: Tensor) -> Tensor:
        return self.context.logits_of(rows).double().softmax(-1)

    def ties(self, rows: Tensor, probabilities: Tensor) -> Tensor:
        """s_ij of these images, if they are as probable as said, with the targets."""
        alike = probabilities.sqrt() @ self.probabilities(self.context.targets).sqrt().T
        return self.correlations(rows, self.context.targets).square() * alike

    def torn(self, rows: Tensor) -> Tensor:
        best = self.probabilities(rows).sort(-1).values
        return 1 - (best[:, -1] - best[:, -2])

    def weights(self, against: float, trust: float) -> Tensor:
        """Of the targets, in the view to which so many labels spoke against the model and for it."""
        p, torn = self.probabilities(self.context.targets), self.torn(self.context.targets)
        classes = p.shape[1]
        told = torch.nn.functional.one_hot(self.context.labels, classes).double()
        trust = trust + classes * p @ told.sum(0)
        weights = (against + trust * torn) / (against + trust)
        if self.context.goal is Goal.BALANCED:
            weights = weights * (p / p.sum(0)).sum(-1)
        return weights / weights.sum()

    def views(self) -> tuple[Tensor, Tensor]:
        """The trusting one and the cautious one."""
        return self.weights(1, 9), self.weights(5, 5)

    def covered(self) -> Tensor:
        """How well each target is stood for before anything is asked."""
        asked = self.context
        found = [torch.zeros(1, len(asked.targets), dtype=torch.float64)]
        if len(asked.labelled):
            classes = asked.size.classes
            told = torch.nn.functional.one_hot(asked.labels, classes).double()
            found.append(self.ties(asked.labelled, told))
        if len(asked.refused):
            found.append(self.correlations(asked.refused, asked.targets).square())
        return torch.cat(found).amax(0)

    def value(self) -> Callable[[Sequence[int]], float]:
        """What a batch of rows adds to what is stood for already."""
        every = torch.arange(len(self.context.table))
        ties = self.ties(every, self.probabilities(every))
        before, weights = self.covered(), sum(self.views()) / 2

        def of(rows: Sequence[int]) -> float:
            return float((torch.maximum(before, ties[list(rows)].amax(0)) - before) @ weights)

        return of


def asked(seed: int = 0, *, classes: int = 4, labels: tuple[int, ...] = (0, 1, 2, 3)) -> Asked:
    """The first images have labels; all others may be asked; every other one is a target."""
    small = small_model(10 * seed, images=POOL, classes=classes, dtype=torch.float32)
    start = zero_shot(small.head, small.posterior, small.classes)
    truth = torch.eye(classes, dtype=torch.float64)[list(labels)]
    context = AcquisitionContext(
        table=FeatureTable.from_features([f"{i}" for i in range(POOL)], small.images),
        candidates=torch.arange(len(labels), POOL),
        targets=torch.arange(POOL)[-TARGETS:],
        learner=learn(start, small.images[: len(labels)], truth) if labels else start,
        batch_size=8,
        seed=5,
        draw_seed=1,
        labelled=torch.arange(len(labels)),
        labels=torch.tensor(labels, dtype=torch.long),
    )
    return Asked(context, small.posterior)


@dataclass(frozen=True)
class Reading:
    """Takes its logits from the first activations: a test can write what is predicted."""

    classes: int

    def logits(self, features: Features) -> Tensor:
        return features.activations[:, : self.classes]


def written(activations: Tensor, classes: int, **changes: object) -> Asked:
    """A pool of these images, of which the model reads what to predict."""
    size = activations.shape[1]
    small: SmallModel = small_model(image_size=size, classes=classes, dtype=torch.float32)
    start = zero_shot(small.head, small.posterior, small.classes)
    every = torch.arange(len(activations))
    context = AcquisitionContext(
        table=FeatureTable.from_features([f"{i}" for i in every.tolist()], Features(activations)),
        candidates=every,
        targets=every,
        learner=Learner(start.model, start.class_activations, None, None, Reading(classes)),
        batch_size=1,
        seed=0,
        draw_seed=0,
    )
    return Asked(replace(context, **changes), small.posterior)


CASES: dict[str, Callable[[], Asked]] = {
    "labels": asked,
    "no labels": lambda: asked(1, labels=()),
    "two classes": lambda: asked(2, classes=2, labels=(0, 1, 1)),
    "all labels of one class": lambda: asked(3, labels=(2,) * 5),
    "some refused": lambda: asked(4).with_(
        refused=torch.tensor([4, 9]), candidates=torch.arange(10, POOL)
    ),
    "every image counts alike": lambda: asked(5).with_(goal=Goal.ACCURACY),
    "all": lambda: asked(6).with_(batch_size=POOL),
    "one candidate": lambda: asked(7).with_(candidates=torch.tensor([11])),
    "one target": lambda: asked(8).with_(targets=torch.tensor([20])),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Asked:
    return request.param()


@pytest.fixture(autouse=True)
def nothing_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where labels confirm that similar images are alike: every pick is of the greatest gain."""
    monkeypatch.setattr(module, "doubt_beforehand", lambda *_: 0.0)
    monkeypatch.setattr(module, "doubt_of_kinship", lambda *_: 0.0)


def test_it_is_the_default() -> None:
    assert find_strategy("default") is find_strategy(DEFAULT_STRATEGY) is find_strategy("coverage")


@pytest.fixture(params=[0.0, 0.3, 0.5, 1.0])
def cautious(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """The cautious view's share of the picks."""
    monkeypatch.setattr(module, "_cautious", lambda _: request.param)
    return request.param


class TestEveryBatch:
    def test_it_is_that_of_the_plain_greedy_way(self, case: Asked, cautious: float) -> None:
        """The same picks and gains as when every candidate's gain is computed anew each time."""
        rows = case.context.candidates
        ties, torn = case.ties(rows, case.probabilities(rows)), case.torn(rows)
        (trusting, doubting), covered = case.views(), case.covered()
        before = len(case.context.labelled) + len(case.context.refused)
        free = torch.ones(len(ties), dtype=torch.bool)
        found = case.select()
        assert len(found.rows) == min(case.context.batch_size, len(ties))
        for turn, (row, score) in enumerate(zip(found.rows, found.scores, strict=True), before):
            added = (ties - covered).clamp_min(0)
            due = int((turn + 1) * cautious + 1e-9) > int(turn * cautious + 1e-9)
            appeal = added @ doubting if due else added @ trusting * torn
            appeal = appeal.masked_fill(~free, -1)
            if float(appeal.max()) < ROUNDING:  # rounding decides from here on
                assert score < 1e3 * ROUNDING
                break
            place = rows.tolist().index(row)
            assert float(appeal[place]) == pytest.approx(float(appeal.max()), abs=ROUNDING)
            gain = float(added[place] @ (trusting + doubting)) / 2
            assert score == pytest.approx(gain, abs=ROUNDING)
            covered = torch.maximum(covered, ties[place])
            free[place] = False

    def test_gains_are_shares_of_the_doubt(self, case: Asked) -> None:
        scores = case.select().scores
        assert all(0 <= score <= 1 for score in scores)
        assert sum(scores) <= 1 + ROUNDING

    def test_its_gains_add_up_to_what_the_batch_stands_for(self, case: Asked) -> None:
        found = case.select()
        assert sum(found.scores) == pytest.approx(case.value()(found.rows), abs=ROUNDING)

    def test_blocks_of_any_size_and_any_order_change_nothing(
        self, case: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = case.select()
        order = torch.randperm(len(case.context.candidates), generator=generator(1))
        turned = case.with_(candidates=case.context.candidates[order])
        needed = find_strategy("coverage").cost(case.context.size).memory
        others = [turned.select(), case.with_(memory=2 * needed).select()]
        for rows in (1, 3):
            monkeypatch.setattr(registry, "BLOCK_ROWS", rows)
            others.append(case.select())
        # where nothing is left to gain, rounding decides on the order
        told = sum(score > ROUNDING for score in whole.scores)
        for other in others:
            assert other.rows[:told] == whole.rows[:told]
            assert set(other.rows) == set(whole.rows) or told < len(whole.rows)
            assert other.scores == pytest.approx(whole.scores, abs=ROUNDING)

    def test_it_comes_again(self, case: Asked) -> None:
        assert case.select() == case.select() == case.with_(seed=99, draw_seed=7).select()


@pytest.mark.parametrize("seed", range(4))
def test_a_cautious_batch_has_the_promised_share_of_the_best_one_s_value(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_cautious", lambda _: 1.0)
    case = asked(seed).with_(batch_size=3, candidates=torch.arange(4, 16))
    cautious = case.views()[1]
    monkeypatch.setattr(Asked, "views", lambda _: (cautious, cautious))
    value = case.value()
    found = value(case.select().rows)
    best = max(map(value, itertools.combinations(case.context.candidates.tolist(), 3)))
    assert (1 - 1 / math.e) * best <= found <= best + ROUNDING


def test_more_is_computed_again_at_once_or_less_and_the_batch_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = asked(labels=()).with_(batch_size=12)
    batches = []
    for at_once in (1, 2, 7, 64):
        monkeypatch.setattr(module, "_AT_ONCE", at_once)
        batches.append(case.select())
    for other in batches[1:]:
        assert other.rows == batches[0].rows
        assert other.scores == pytest.approx(batches[0].scores, abs=ROUNDING)


def test_of_more_candidates_than_the_shortlist_holds_doubtful_ones_are_considered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And which they are depends on the seed, on doubt, and on nothing else."""
    activations = normal(6, 40, 7, dtype=torch.float32)
    activations[:20, :3] = torch.tensor([200.0, 0.0, 0.0])  # nothing to doubt
    case = written(activations, 3).with_(
        batch_size=4,
        candidates=torch.arange(2, 40),
        labelled=torch.tensor([0, 1]),
        labels=torch.tensor([0, 0]),
    )
    monkeypatch.setattr(considered, "SHORTLIST", 10)
    monkeypatch.setattr(doubt.View, "doubt", lambda _, torn, labels: torn)  # believed at once
    batches = [case.with_(seed=seed).select() for seed in (1, 1, 2, 3)]
    assert batches[0] == batches[1]
    assert len({batch.rows for batch in batches[1:]}) > 1
    for batch in batches:
        assert min(batch.rows) >= 20
        assert len(set(batch.rows)) == 4
    whole = case.with_(batch_size=12).select()
    assert len(set(whole.rows)) == 12


def test_where_the_pool_matters_all_of_it_that_has_no_answer_is_the_target(case: Asked) -> None:
    """Whatever sample of it the targets are."""
    every = case.with_(targets=case.context.candidates).select()
    for targets in (case.context.targets, case.context.candidates[:1]):
        assert case.with_(targets=targets, pool_is_target=True).select() == every


class TestOfALargePool:
    """More images than targets are held: 3 of a rare class, which the model knows, among 157 others."""

    RARE = (20, 90, 150)

    @pytest.fixture
    def pool(self, monkeypatch: pytest.MonkeyPatch) -> Asked:
        monkeypatch.setattr(considered, "TARGETS", 24)
        monkeypatch.setattr(considered, "SHORTLIST", 40)
        activations = normal(7, 160, 7, dtype=torch.float32)
        activations[:, 2] = -20.0
        activations[list(self.RARE), :3] = torch.tensor([0.0, 0.0, 12.0])
        return written(activations, 3).with_(batch_size=6, pool_is_target=True)

    def test_images_of_a_rare_class_are_all_targets_and_each_for_itself(self, pool: Asked) -> None:
        for seed in range(10):
            found = considered.consider(pool.with_(seed=seed).context, 0, HALVES)
            targets = found.context.targets.tolist()
            assert len(set(targets)) == 24
            assert len(set(found.context.candidates.tolist())) == 40
            assert set(self.RARE) < set(targets) < set(found.context.candidates.tolist())
            ground = module._ground(found)
            weights = ground.weights[:, doubt.VIEWS.index(doubt.CAUTIOUS)]
            theirs = sum(float(weights[targets.index(row)]) for row in self.RARE)
            # a class in three, of which the model is sure: half the doubt of one that it is torn about
            assert 0.15 < theirs < 0.45

    def test_which_are_drawn_depends_on_the_seed_alone(self, pool: Asked) -> None:
        batches = [pool.with_(seed=seed).select() for seed in (1, 1, 2, 3)]
        assert batches[0] == batches[1]
        assert len({batch.rows for batch in batches[1:]}) > 1
        assert all(len(set(batch.rows)) == 6 for batch in batches)

    @pytest.mark.parametrize("view", range(len(doubt.VIEWS)))
    def test_what_targets_weigh_is_what_the_pool_weighs_on_average(
        self, pool: Asked, view: int
    ) -> None:
        """Of the doubt in a part of the pool, here its first half, in either view."""
        probabilities = pool.probabilities(pool.context.candidates)
        mass = probabilities.sum(dim=0)
        weights = doubt.Weighing.by(Goal.BALANCED, mass, torch.zeros_like(mass)).of(probabilities)
        wanted = float(weights[:80, view].sum())
        found = []
        for seed in range(300):
            of_it = considered.consider(pool.with_(seed=seed).context, 0, HALVES)
            targets = of_it.context.targets
            found.append(float(of_it.stood_for(weights[targets])[targets < 80, view].sum()))
        values = torch.tensor(found, dtype=torch.float64)
        assert float(values.mean()) == pytest.approx(wanted, abs=4 * float(values.std()) / 300**0.5)

    @pytest.mark.usefixtures("pool")
    @pytest.mark.parametrize("targets", [5, 60])
    def test_it_stays_within_the_memory_that_it_states(self, targets: int) -> None:
        """Of however many images the sample is that it was asked with."""
        pool = written(normal(8, 60, 300, dtype=torch.float32), 3).with_(
            batch_size=6, pool_is_target=True, targets=torch.arange(targets)
        )
        needed = find_strategy("coverage").cost(pool.context.size).memory
        found, free = pool.with_(memory=needed).select(), pool.select()
        assert found.rows == free.rows
        assert found.scores == pytest.approx(free.scores, abs=ROUNDING)


@pytest.mark.parametrize(("share", "drawn"), [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_as_likely_as_similarity_says_nothing_images_are_drawn_at_random(
    share: float, drawn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evenly spread over the batch; what stays is chosen by gain, in full knowledge of them."""
    monkeypatch.setattr(module, "doubt_of_kinship", lambda *_: share)
    case, value = asked(), asked().value()
    batches = [case.with_(seed=seed).select() for seed in range(12)]
    for found in batches:
        assert len(set(found.rows)) == len(found.rows) == 8
        for turn, score in enumerate(found.scores):
            gain = value(found.rows[: turn + 1]) - (value(found.rows[:turn]) if turn else 0)
            assert score == pytest.approx(gain, abs=ROUNDING)
    # Picks by gain before the first drawn one are alike whatever the seed is; drawn ones are not.
    first = 8 if not drawn else 8 // drawn - 1
    assert len({found.rows[:first] for found in batches}) == 1
    if drawn:
        asked_at_random = {found.rows[first] for found in batches}
        assert len(asked_at_random) > 4
    assert case.with_(seed=3).select() == batches[3]


def test_without_labels_what_is_drawn_at_random_is_what_the_pool_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = asked(labels=())
    assert case.select() == case.with_(seed=99).select()
    monkeypatch.setattr(module, "doubt_beforehand", lambda *_: 1.0)
    assert len({case.with_(seed=seed).select().rows for seed in range(5)}) == 5


def test_with_the_goal_balanced_predicted_classes_are_drawn_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "doubt_beforehand", lambda *_: 1.0)
    case = apart((36, 4)).with_(batch_size=8)
    for seed in range(4):
        rows = case.with_(seed=seed, goal=Goal.BALANCED).select().rows
        assert [sum(row < 36 for row in rows[:k]) for k in (2, 4, 6, 8)] == [1, 2, 3, 4]
    plain = {case.with_(seed=seed, goal=Goal.ACCURACY).select().rows for seed in range(4)}
    assert len(plain) == 4
    assert any(sum(row < 36 for row in rows) > 4 for rows in plain)


def kinship_of(seed: int, similar: float, labels: int = 60, beforehand: float = LEAST) -> float:
    """With classes whose images lie this much nearer to each other than to others."""
    classes = torch.arange(labels) % 4
    places = normal(seed, labels, 6) + similar * normal(seed + 1, 4, 6)[classes]
    return doubt_of_kinship(torch.nn.functional.normalize(places, dim=-1), classes, beforehand)


def test_labels_decide_whether_similarity_says_anything() -> None:
    usual = doubt_of_kinship(normal(0, 0, 6), torch.zeros(0, dtype=torch.long), 0.3)
    one_class = doubt_of_kinship(
        torch.nn.functional.normalize(normal(0, 9, 6), dim=-1),
        torch.zeros(9, dtype=torch.long),
        0.3,
    )
    assert usual == one_class == 0.3
    for seed in range(5):
        assert kinship_of(seed, 3.0) < 0.01 < 0.5 < kinship_of(seed, 0.0)
        assert kinship_of(seed, 3.0, beforehand=0.9) < 0.01
        assert kinship_of(seed, 0.0) < kinship_of(seed, 0.0, beforehand=0.5)
    assert kinship_of(0, 0.0, 8) < kinship_of(0, 0.0, 30) < kinship_of(0, 0.0, 80)


def test_a_pool_of_few_dimensions_is_crowded_with_many_classes() -> None:
    """On equally long axes, mean rho^2 is one over their number, exactly."""
    for dimensions in (1, 4, 10):
        directions = torch.eye(dimensions, 12).repeat(3, 1)
        assert doubt_beforehand(directions, 2) == LEAST
        assert doubt_beforehand(directions, 2 * dimensions + 1) == LEAST
        assert doubt_beforehand(directions, 8 * dimensions + 1) == pytest.approx(0.75)
    assert doubt_beforehand(torch.zeros(3, 4), 100) == LEAST


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    values = torch.randint(0, 5, (40,), generator=generator(1)).double()
    positive = torch.arange(40) % 3 == 0
    pairs = values[positive][:, None] - values[~positive]
    wanted = ((pairs > 0).double() + 0.5 * (pairs == 0)).mean()
    assert kinship._area(values, positive) == pytest.approx(float(wanted))


def test_beside_a_label_that_was_expected_nothing_is_gained() -> None:
    """The copy of a labelled image, of whose class the model is as sure as its label."""
    activations = normal(1, 12, 7, dtype=torch.float32)
    activations[0, :3] = torch.tensor([60.0, 0.0, 0.0])
    activations[1] = activations[0]
    case = written(activations, 3).with_(candidates=torch.tensor([1]))
    told = case.with_(labelled=torch.tensor([0]), labels=torch.tensor([0]))
    assert case.select().scores[0] > 0.01
    assert told.select().scores[0] == pytest.approx(0, abs=ROUNDING)


def test_a_label_that_was_not_expected_leaves_more_to_gain_than_one_that_was() -> None:
    activations = normal(1, 12, 7, dtype=torch.float32)
    activations[0, :3] = torch.tensor([60.0, 0.0, 0.0])
    activations[1] = activations[0]
    case = written(activations, 3).with_(
        candidates=torch.tensor([1]), labelled=torch.tensor([0]), labels=torch.tensor([2])
    )
    assert case.select().scores[0] > 0.01


def test_beside_an_image_that_nobody_could_answer_nothing_is_gained() -> None:
    """Whatever the model says there: torn or sure."""
    activations = normal(2, 12, 7, dtype=torch.float32)
    activations[5], activations[6] = activations[0], 3 * activations[0]  # only directions count
    for row in (5, 6):
        case = written(activations, 4).with_(candidates=torch.tensor([row]))
        assert case.select().scores[0] > 0.01
        refused = case.with_(refused=torch.tensor([0]))
        assert refused.select().scores[0] == pytest.approx(0, abs=ROUNDING)


def apart(counts: tuple[int, int]) -> Asked:
    """Two groups of exact copies without any tie, each almost surely of a class of its own."""
    small = small_model(image_size=4, classes=2, dtype=torch.float32)
    root = zero_shot(small.head, small.posterior, small.classes).model.image_activation_root
    sure = math.log(999)
    one = torch.tensor([sure, 0.0, 0.0, 0.0])
    other = torch.tensor([0.0, sure, 0.0, 0.0])
    # What is predicted is read from the first two activations: the third makes them orthogonal.
    along, there = one @ root @ (other @ root), one @ root @ root[2]
    other[2] = -along / there
    return written(torch.cat([one.expand(counts[0], 4), other.expand(counts[1], 4)]), 2)


def test_with_the_goal_balanced_predicted_classes_count_alike() -> None:
    case = apart((36, 4)).with_(batch_size=2)
    plain = case.with_(goal=Goal.ACCURACY).select()
    assert plain.scores == pytest.approx((0.9, 0.1), abs=0.01)
    balanced = case.with_(goal=Goal.BALANCED).select()
    assert balanced.scores == pytest.approx((0.5, 0.5), abs=0.02)
    for found in (plain, balanced):
        assert len({row < 36 for row in found.rows}) == 2


def test_of_exact_copies_one_is_asked_before_any_other_again() -> None:
    few = normal(3, 5, 7, dtype=torch.float32)
    case = written(few.repeat(4, 1), 3).with_(batch_size=20)
    found = case.select()
    assert sorted(row % 5 for row in found.rows[:5]) == list(range(5))
    assert found.scores[5:] == pytest.approx([0.0] * 15, abs=ROUNDING)
    assert sorted(found.rows) == list(range(20))


def test_a_pool_of_one_image_many_times_is_asked_to_its_end() -> None:
    case = written(normal(4, 1, 7, dtype=torch.float32).expand(9, 7), 3).with_(batch_size=9)
    found = case.select()
    assert found.scores[0] == pytest.approx(1, abs=1e-3)
    assert found.scores[1:] == pytest.approx([0.0] * 8, abs=ROUNDING)
    assert sorted(found.rows) == list(range(9))


def test_where_the_model_doubts_nothing_scores_are_none_and_the_batch_is_whole() -> None:
    activations = torch.zeros(10, 5)
    activations[torch.arange(10), torch.arange(10) % 2] = 200.0
    activations[:, 4] = torch.arange(10.0)
    found = written(activations, 2).with_(batch_size=4).select()
    assert len(set(found.rows)) == 4
    assert all(0 <= score <= 1 for score in found.scores)


@pytest.mark.parametrize(
    ("view", "labels", "wanted"),
    [
        (doubt.CAUTIOUS, 0.0, [1.0, 0.5, 0.85]),
        (doubt.CAUTIOUS, 10.0, [1.0, 0.25, 0.775]),
        (doubt.TRUSTING, 0.0, [1.0, 0.1, 0.73]),
        (doubt.TRUSTING, 10.0, [1.0, 0.05, 0.715]),
        (doubt.CAUTIOUS, 1e6, [1.0, 0.0, 0.7]),
        (doubt.TRUSTING, 1e6, [1.0, 0.0, 0.7]),
    ],
)
def test_confidence_is_believed_as_far_as_labels_have_tested_it(
    view: doubt.View, labels: float, wanted: list[float]
) -> None:
    torn = doubt.torn(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1]]))
    assert view.doubt(torn, torch.full((3,), labels)).tolist() == pytest.approx(wanted, abs=1e-5)


def test_labels_of_one_class_do_not_make_the_model_believed_about_another() -> None:
    """And where all classes have as many, each counts for all."""
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    tested = doubt.tested_by(torch.tensor([0] * 30), 3)
    found = doubt.CAUTIOUS.doubt(doubt.torn(p), p @ tested)
    assert found.tolist() == pytest.approx([5 / 100, 0.5])
    even = doubt.tested_by(torch.arange(30) % 3, 3)
    assert even.tolist() == [30.0, 30.0, 30.0]


class TestWhatMisleads:
    def test_labels_that_were_foretold_for_certain_have_a_closed_form(self) -> None:
        """n of them, and the density of epsilon is (1 - b epsilon)^n, b = 1 - 1 / C."""
        for classes, count in ((2, 0), (2, 3), (10, 10), (100, 50), (5, 700)):
            certain = torch.zeros(count, classes)
            certain[:, 1] = 1.0
            b = 1 - 1 / classes
            left = (1 - b) ** (count + 1)
            mass = (1 - left) / (b * (count + 1))
            inner = (1 - left * (1 - b)) / (b * (count + 2))
            wanted = (mass - inner) / (b * mass) if count else 0.5
            found = misleading(certain, torch.ones(count, dtype=torch.long))
            assert found == pytest.approx(wanted, abs=1e-4)

    def test_certain_predictions_that_fail_mislead_and_torn_ones_say_nothing(self) -> None:
        labels = torch.arange(12) % 4
        right = torch.nn.functional.one_hot(labels, 4).float()
        found = [
            misleading(share * right + (1 - share) * right.roll(1, dims=1), labels)
            for share in (1.0, 0.9, 0.6, 0.25, 0.0)
        ]
        assert found == sorted(found)
        assert found[0] < 0.1 < 0.9 < found[-1]
        assert misleading(torch.full((12, 4), 0.25), labels) == pytest.approx(0.5)
        assert misleading(right[:0], labels[:0]) == pytest.approx(0.5)

    def test_the_cautious_view_has_half_of_the_picks_then_what_the_labels_call_for(
        self,
    ) -> None:
        """The model as it came, whatever the labels taught."""
        case = asked(labels=())
        assert module._cautious(case.context) == 0.5
        told = torch.arange(POOL)
        predicted = case.context.logits_of(told).argmax(-1)
        shares = []
        for labels in (predicted, (predicted + 1) % 4):
            truth = torch.nn.functional.one_hot(labels, 4).double()
            learned = learn(case.context.learner, case.context.table.gather(told), truth)
            changed = case.with_(labelled=told, labels=labels)
            shares.append(module._cautious(changed.context))
            assert module._cautious(changed.with_(learner=learned).context) == shares[-1]
            assert module._cautious(changed.with_(unknown_names=1).context) == 1.0
        assert shares[0] < 0.5 < shares[1] <= 1

    @pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.37, 1.0])
    def test_a_share_of_the_turns_is_evenly_spread(self, share: float) -> None:
        due = [module._falls_due(turn, share) for turn in range(200)]
        for start in range(0, 200, 7):
            for count in (1, 10, 60):
                part = due[start : start + count]
                assert abs(sum(part) - share * len(part)) < 1 + 1e-6


def test_what_labels_have_in_common_no_longer_makes_images_alike() -> None:
    """Among images that one direction rules, labels bring out what else they differ in."""
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
