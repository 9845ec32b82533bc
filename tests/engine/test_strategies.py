"""What every strategy promises: a batch of distinct candidates, the same for the same seed."""

from dataclasses import replace

import pytest
import torch

from alworkbench.acquisition.catalogue import find_strategy, strategies
from alworkbench.acquisition.registry import Question
from alworkbench.adaptation.learner import learn, zero_shot
from alworkbench.errors import UnknownStrategy
from alworkbench.features import FeatureTable
from tests.factories import small_model

POOL = 40
NAMES = [s.name for s in strategies()]


def question(**changes) -> Question:
    model = small_model(images=POOL, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    labels = torch.eye(4, dtype=torch.float64)[torch.arange(6) % 4]
    asked = Question(
        table=FeatureTable.from_features([f"{i}" for i in range(POOL)], model.images),
        candidates=torch.arange(6, POOL),
        targets=torch.arange(0, POOL, 2),
        learner=learn(start, model.images[:6], labels),
        batch_size=8,
        seed=5,
        draw_seed=1,
        draws=32,
    )
    return replace(asked, **changes)


@pytest.mark.parametrize("name", NAMES)
class TestEveryStrategy:
    def test_it_answers_with_distinct_candidates_and_finite_scores(self, name):
        asked = question()
        found = find_strategy(name).select(asked)
        assert len(found.rows) == len(set(found.rows)) == len(found.scores) == 8
        assert set(found.rows) <= set(asked.candidates.tolist())
        assert torch.tensor(found.scores).isfinite().all()

    def test_the_same_question_has_the_same_answer(self, name):
        assert find_strategy(name).select(question()) == find_strategy(name).select(question())

    def test_global_random_state_is_neither_used_nor_moved(self, name):
        torch.manual_seed(1)
        first = find_strategy(name).select(question())
        state = torch.random.get_rng_state()
        torch.manual_seed(2)
        assert find_strategy(name).select(question()) == first
        torch.manual_seed(1)
        assert torch.equal(state, torch.random.get_rng_state())

    def test_a_small_pool_gives_what_it_has(self, name):
        found = find_strategy(name).select(question(candidates=torch.tensor([7, 9, 11])))
        assert sorted(found.rows) == [7, 9, 11]

    def test_a_small_memory_budget_changes_the_blocks_not_the_choice_of_scores(self, name):
        whole = find_strategy(name).select(question())
        small = find_strategy(name).select(question(memory=2 << 20))
        assert len(small.rows) == 8
        if name != "epig":  # which thins the pool instead
            assert set(small.rows) == set(whole.rows)


def test_the_seed_moves_what_is_random_and_nothing_else():
    for name in NAMES:
        one = find_strategy(name).select(question(seed=1))
        other = find_strategy(name).select(question(seed=2))
        assert (one == other) == (name not in ("random", "balanced-random")), name


def test_balanced_random_goes_round_the_predicted_classes():
    asked = question()
    found = find_strategy("balanced-random").select(asked)
    predicted = asked.learner.logits(asked.table.gather(torch.tensor(found.rows))).argmax(-1)
    every = asked.logits().argmax(-1)
    available = torch.bincount(every, minlength=4)
    counts = torch.bincount(predicted, minlength=4)
    fair = 8 // int((available > 0).sum())
    assert (counts >= torch.minimum(available, torch.tensor(fair)))[available > 0].all()


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownStrategy, match="Did you mean 'entropy'"):
        find_strategy("entrop")
