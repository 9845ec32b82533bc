"""An engine scores the pool: the same batch as one process, with few bytes on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import alworkbench.acquisition.pool_runs as module
from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS
from alworkbench.acquisition.catalogue import STRATEGIES, find_strategy
from alworkbench.acquisition.pool_runs import Run
from alworkbench.acquisition.score import best_of_parts, highest_batch
from alworkbench.acquisition.scores import best
from alworkbench.acquisition.uncertainty import BALD
from alworkbench.core.errors import EngineError
from alworkbench.engines.local_engine import LocalEngine
from tests.acquisition.test_strategies import POOL, context
from tests.engines.inline_engine import InlineEngine

STREAMING = [each.name for each in STRATEGIES if each.streams]
SCORED = [name for name in STREAMING if name != "coverage"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alworkbench.acquisition.strategy.BLOCK_ROWS", 5)
    monkeypatch.setattr(module, "GROUP_ROWS", 13)


def test_the_strategies_that_stream() -> None:
    assert STREAMING == [
        "coverage",
        "margin",
        "entropy",
        "least-confidence",
        "predictive-entropy",
        "bald",
        "power-margin",
        "power-bald",
    ]


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"copies": 4},  # equal scores in several groups
        {"labelled": 0, "batch_size": POOL},
        {"candidates": torch.tensor([39, 7, 8, 9, 30, 6, 12, 13, 11, 38, 20, 21, 22, 23])},
        {"candidates": torch.tensor([7])},
    ],
)
def test_the_batch_is_that_of_one_process(name: str, changes: dict) -> None:
    asked, strategy, engine = context(**changes), find_strategy(name), InlineEngine()
    alone = strategy.select(asked)
    assert strategy.select(replace(asked, engine=engine)) == alone
    assert engine.groups == -(-len(asked.candidates) // 10)


@pytest.mark.parametrize("pool_is_target", [True, False])
def test_coverage_has_the_pool_weighed_and_picks_from_its_sample(pool_is_target: bool) -> None:
    """Weights of a run come back, no similarity; a pool that is used whole needs no engine."""
    few = replace(DEFAULT_SETTINGS, most_targets=6, most_candidates=9, class_count_images=12)
    asked, strategy = (
        context(settings=few, pool_is_target=pool_is_target),
        find_strategy("coverage"),
    )
    engine, whole = InlineEngine(), InlineEngine()
    assert strategy.select(replace(asked, engine=engine)) == strategy.select(asked)
    assert engine.groups == -(-len(asked.candidates) // 10)
    assert engine.returned / engine.groups < 2_000
    strategy.select(replace(asked, engine=whole, settings=DEFAULT_SETTINGS, pool_is_target=True))
    assert whole.groups == 0


@pytest.mark.parametrize("keep", [1, 7, 40])
def test_the_best_of_parts_are_the_best_of_all(keep: int) -> None:
    """Whatever ties there are, within parts and between them."""
    values = torch.randint(0, 9, (97,), generator=torch.Generator().manual_seed(keep)).float()
    parts = []
    for start, part in zip(range(0, 97, 13), values.split(13), strict=True):
        order = best(part, keep)
        parts.append((start + order, part[order]))
    positions, found = best_of_parts(parts, keep)
    assert torch.equal(positions, best(values, keep))
    assert torch.equal(found, values[positions])


def test_worker_processes_give_the_same_batch() -> None:
    asked = context()
    asked = replace(asked, memory=asked.size.draws_held + 5 * asked.size.drawn_row)
    alone = highest_batch(asked, BALD)
    assert highest_batch(replace(asked, engine=LocalEngine(2)), BALD) == alone


def test_a_group_is_sent_as_runs_of_rows_and_gives_back_its_best() -> None:
    """A group of neighbouring candidates has the same few bytes, however many they are."""
    rows = torch.cat([torch.arange(5, 60_000), torch.arange(70_000, 75_000)])
    run = Run.of(rows)
    assert torch.equal(run.rows(), rows)
    assert (run.starts.tolist(), run.stops.tolist()) == ([5, 70_000], [60_000, 75_000])
    engine = InlineEngine()
    find_strategy("margin").select(replace(context(batch_size=2), engine=engine))
    assert engine.sent / engine.groups < 2_000
    assert engine.returned / engine.groups < 2_000


def test_a_strategy_that_compares_images_is_refused() -> None:
    others = [each for each in STRATEGIES if not each.streams]
    assert len(others) > 5
    for strategy in others:
        with pytest.raises(EngineError, match="such as coverage, margin or bald"):
            strategy.select(context(engine=InlineEngine()))
