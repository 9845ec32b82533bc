"""Laws of every strategy: a batch of distinct candidates, the same for the same seed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from alworkbench.acquisition.catalogue import STRATEGIES, find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.core.errors import MemoryBudgetTooSmall
from alworkbench.features.table import FeatureTable
from tests.factories import small_model

POOL, LABELLED = 40, 6
NAMES = [s.name for s in STRATEGIES]
DRAWN = ("random", "badge", "power-margin", "power-bald")
"""Strategies that record the probability of every pick."""
SEEDED = {*DRAWN, "balanced-random", "batchbald", "coverage", "typiclust", "probcover"}
"""Strategies whose batch may depend on the seed."""


def context(classes=4, labelled=LABELLED, copies=1, **changes) -> AcquisitionContext:
    """A pool whose first rows have labels; with `copies`, every image stands there several times."""
    return replace(_context(classes, labelled, copies), **changes)


@cache
def _context(classes, labelled, copies) -> AcquisitionContext:
    model = small_model(images=POOL, classes=classes, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    images = model.images[torch.arange(POOL) % (POOL // copies)]
    given = torch.arange(labelled)
    truth = torch.eye(classes, dtype=torch.float64)[given % classes]
    return AcquisitionContext(
        table=FeatureTable.from_features([f"{i}" for i in range(POOL)], images),
        candidates=torch.arange(LABELLED, POOL),
        targets=torch.arange(0, POOL, 2),
        learner=learn(start, images[:labelled], truth),
        batch_size=8,
        seed=5,
        draw_seed=1,
        labelled=given,
        labels=given % classes,
        draws=32,
    )


def random_states():
    """Those of torch and NumPy. Not Python's: the checks of shapes in these tests draw from it."""
    return torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
class TestEveryStrategy:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"labelled": 0},
            {"classes": 2},
            {"classes": 60, "labelled": 0, "draws": 8},
            {"copies": POOL},
            {"batch_size": 1},
            {"batch_size": POOL},
            {"batch_size": POOL, "labelled": 0, "copies": 4},
            {"candidates": torch.tensor([7, 9, 11])},
            {"candidates": torch.tensor([30])},
        ],
        ids=str,
    )
    def test_it_returns_distinct_candidates_and_finite_scores(self, name, changes):
        asked = context(**changes)
        found = find_strategy(name).select(asked)
        wanted = min(asked.batch_size, len(asked.candidates))
        assert len(found.rows) == len(set(found.rows)) == len(found.scores) == wanted
        assert set(found.rows) <= set(asked.candidates.tolist())
        assert torch.tensor(found.scores).isfinite().all()
        assert (found.probabilities is not None) == (name in DRAWN)
        if found.probabilities is not None:
            assert len(found.probabilities) == wanted
            assert all(0 < p <= 1 + 1e-9 for p in found.probabilities)

    def test_the_same_context_gives_the_same_batch_without_global_state(self, name):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        before = random_states()
        first = find_strategy(name).select(context())
        after = random_states()
        assert torch.equal(before[0], after[0])
        assert (before[1] == after[1]).all()
        torch.manual_seed(2)
        np.random.seed(2)  # noqa: NPY002
        assert find_strategy(name).select(context()) == first

    def test_a_small_memory_budget_changes_the_blocks_not_the_batch(self, name):
        strategy, asked = find_strategy(name), context()
        whole = strategy.select(asked)
        # a little more than it says that it needs, but for lists of what it may find
        needed = strategy.cost(asked.size).memory
        small = strategy.select(replace(asked, memory=needed + (needed >> 2) + (1 << 16)))
        if name not in ("epig", "batchbald"):  # which look at the best alone then
            assert set(small.rows) == set(whole.rows)
        assert len(small.rows) == len(whole.rows)

    def test_it_refuses_a_budget_below_its_stated_memory(self, name):
        asked = context()
        needed = find_strategy(name).cost(asked.size).memory
        with pytest.raises(MemoryBudgetTooSmall, match=name):
            find_strategy(name).select(replace(asked, memory=needed - 1))

    def test_cost_and_description_are_stated(self, name):
        strategy = find_strategy(name)
        size = context().size
        more = replace(size, candidates=10 * size.candidates)
        assert 0 <= strategy.cost(size).operations <= strategy.cost(more).operations
        assert 0 < strategy.cost(size).memory <= strategy.cost(more).memory
        assert len(strategy.card.summary) <= 80
        assert name in ("random", "balanced-random") or (
            strategy.card.source and strategy.card.range
        )


def test_only_random_strategies_depend_on_the_seed():
    for name in NAMES:
        one = find_strategy(name).select(context(seed=1))
        other = find_strategy(name).select(context(seed=2))
        assert one == other or name in SEEDED, name
        if name in DRAWN:
            assert one.rows != other.rows, name


def test_balanced_random_takes_predicted_classes_in_turn():
    asked = context()
    found = find_strategy("balanced-random").select(asked)
    predicted = asked.learner.logits(asked.table.gather(torch.tensor(found.rows))).argmax(-1)
    every = asked.logits().argmax(-1)
    available = torch.bincount(every, minlength=4)
    counts = torch.bincount(predicted, minlength=4)
    fair = 8 // int((available > 0).sum())
    assert (counts >= torch.minimum(available, torch.tensor(fair)))[available > 0].all()
