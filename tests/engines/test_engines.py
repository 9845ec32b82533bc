"""The contract of every engine: the results of one process, bit for bit, whatever ends a worker."""

from __future__ import annotations

import importlib.util
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from alworkbench import __version__
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.score import highest_batch
from alworkbench.acquisition.uncertainty import BALD
from alworkbench.core.errors import EngineError, ExtraMissing
from alworkbench.core.progress import silent
from alworkbench.core.worker_process import WorkerProcess
from alworkbench.encoders.head import Features, Head
from alworkbench.engines import group_work
from alworkbench.engines.engine import TRIES, Engine, GroupFailed, every, mapped
from alworkbench.engines.local_engine import LocalEngine
from alworkbench.engines.opening import open_engine
from alworkbench.features.encode import encode_images
from alworkbench.features.encode_groups import encode_on
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.features.whitening import Whitening
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.fit_pairs import fit_posterior
from alworkbench.posterior.fit_pool import pool_factors
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.most_similar import most_similar
from alworkbench.project.predicted_rows import Predicting, predicted
from alworkbench.simulation.experiment import run_plan
from alworkbench.simulation.plan import Plan
from store import memory_store
from tests.acquisition.test_strategies import context
from tests.engines import group_functions as functions
from tests.engines.clusters import two_nodes
from tests.engines.inline_engine import InlineEngine
from tests.engines.slow_encoder import SlowEncoder
from tests.features.test_encode import FakeEncoder, everything, picture, planned, same
from tests.posterior.test_fit_pairs import load_toy, pairs_in
from tests.simulated import toy_data

GROUPS = tuple(range(8))
HAS_RAY = importlib.util.find_spec("ray") is not None
KINDS = [
    "local",
    pytest.param("ray", marks=pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Ray may end the process that uses a cluster when a node of it is lost, and other tests with it.
        pytest.skip("Ray has a process of its own: python -m pytest -n 0 tests/engines -k ray")
    with tempfile.TemporaryDirectory(prefix="r") as folder, two_nodes(Path(folder)) as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "local":
        with open_engine("local:2") as local:
            yield local
    else:
        address = request.getfixturevalue("cluster").address
        with open_engine(f"ray://{address}") as ray:
            assert ray.name == f"ray://{address}"
            yield ray


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.randn(64, 64, generator=torch.Generator().manual_seed(7))


def best(parts: list[list[tuple[float, int]]]) -> list[tuple[float, int]]:
    return sorted([each for part in parts for each in part], key=lambda e: (-e[0], e[1]))[:30]


def test_sums_and_best_are_those_of_one_process(
    engine: Engine, tmp_path: Path, weights: torch.Tensor, one_thread: None
) -> None:
    """A worker is killed within a group, one group kills every worker, and two have no result."""
    shared = engine.broadcast((tmp_path, weights))
    assert list(engine.map_groups(functions.difficult, shared, ())) == []
    found = list(engine.map_groups(functions.difficult, shared, GROUPS))
    failed = [group for group in GROUPS if isinstance(found[group], GroupFailed)]
    assert failed == [functions.UNSENDABLE, functions.POISON, functions.RAISES]
    good = [group for group in GROUPS if group not in failed]
    alone = [(functions.gram(weights, g), functions.top(weights, g)) for g in good]
    assert torch.equal(sum(found[g][0] for g in good), sum(each[0] for each in alone))
    assert best([found[g][1] for g in good]) == best([each[1] for each in alone])

    assert {found[g][2] for g in good} == {1}  # thread of torch

    assert [found[group].crashed for group in failed] == [False, True, False]
    assert "this group cannot be computed" in found[functions.RAISES].detail
    with pytest.raises(EngineError, match="While counting, part 4 failed"):
        list(every(found, "counting"))
    tries = [len(list(tmp_path.glob(f"{group}-*"))) for group in GROUPS]
    assert tries == [1, 1, 2, 1, 1, TRIES, 1, 1]


def test_what_was_given_up_goes_on_where_it_stopped(engine: Engine, tmp_path: Path) -> None:
    with closing(mapped(engine, functions.write_part, tmp_path, range(60), "writing")) as some:
        assert [next(some) for _ in range(3)] == [0, 1, 2]
    left = [group for group in range(60) if not (tmp_path / f"{group:03d}").exists()]
    rest = list(mapped(engine, functions.write_part, tmp_path, left, "writing"))
    assert rest == left
    written = sorted(path.name for path in tmp_path.glob("[0-9]*"))
    assert written == [f"{group:03d}" for group in range(60)]


def test_a_local_worker_waits_for_the_next_work_and_ends_with_the_engine() -> None:
    with open_engine("local:1") as engine:
        first, again = (
            set(mapped(engine, functions.process, None, range(3), "asking")) for _ in range(2)
        )
        assert len(first) == 1
        assert again == first
        os.kill(*first, signal.SIGKILL)
        os.waitid(os.P_PID, *first, os.WEXITED | os.WNOWAIT)
        (other,) = mapped(engine, functions.process, None, range(1), "asking")
        assert {other} != first
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def test_a_worker_that_died_while_it_waited_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that still looked alive when it got its work."""
    with open_engine("local:1") as engine:
        (first,) = mapped(engine, functions.process, None, range(1), "asking")
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        monkeypatch.setattr(WorkerProcess, "has_ended", lambda worker: False)
        (other,) = mapped(engine, functions.process, None, range(1), "asking")
        assert other != first


def test_a_waiting_worker_keeps_no_value_and_none_waits_after_the_end() -> None:
    engine = open_engine("local:1")
    marked = functions.Marked()
    assert list(mapped(engine, functions.count_marked, marked, range(1), "counting")) == [1]
    assert list(mapped(engine, functions.count_marked, None, range(1), "counting")) == [0]
    found = engine.map_groups(functions.process, engine.broadcast(None), range(1))
    worker = next(found)
    engine.close()
    assert list(found) == []
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_folder_that_cannot_be_entered_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise PermissionError("no entry")

    monkeypatch.setattr(os, "chdir", refuse)
    done, said = group_work.answer(functions.process, None, 1, __version__, "/")
    assert not done
    assert "no entry" in said


def test_a_group_is_sent_its_own_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alworkbench.features.whitening.PART_ROWS", 400)
    rows = torch.arange(4000)
    table = FeatureTable.from_features(
        [str(k) for k in range(4000)],
        Features(torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))),
    )
    engine = InlineEngine()
    apart, alone = Whitening.of(table, rows, engine=engine), Whitening.of(table, rows)
    assert torch.equal(apart.matrix, alone.matrix)
    assert engine.groups == 10
    assert engine.sent < 2 * 8 * len(rows)  # 8 bytes a row, and not all rows with each group
    prompts, engine = torch.randn(3, 2), InlineEngine()
    head = Head(torch.eye(2), torch.eye(2), 10.0)
    pool_factors(head, table, rows, prompts, batch=400, engine=engine)
    assert engine.groups == 10
    assert engine.sent < 2 * 8 * len(rows)


def test_a_worker_of_another_version_answers_nothing() -> None:
    done, said = group_work.answer(functions.write_part, None, 1, "0.0.1", "")
    assert not done
    assert "this program is 0.0.1" in said


@pytest.mark.parametrize(
    "text", ["", "locals", "local:", "local:0", "local:x", "ray:", "ray://", "ray://host", "dask"]
)
def test_another_text_is_no_engine(text: str) -> None:
    with pytest.raises(EngineError, match="Known are local, local:PROCESSES, ray"):
        open_engine(text)


def test_the_local_engine_has_as_many_processes_as_it_is_told() -> None:
    assert open_engine("local:3").name == "local:3"
    assert open_engine("local").name == f"local:{len(os.sched_getaffinity(0))}"
    with pytest.raises(ValueError, match="at least one process"):
        LocalEngine(0)


def test_work_for_a_device_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with open_engine("local") as engine, pytest.raises(EngineError, match="2 CUDA device"):
        next(engine.map_groups(functions.write_part, engine.broadcast(None), (1,), gpus=2))


def test_ray_is_refused_without_a_token_and_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(EngineError, match="without a token"):
        open_engine("ray")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    if not HAS_RAY:
        with pytest.raises(ExtraMissing, match=r"alworkbench\[ray\]"):
            open_engine("ray")


@pytest.mark.parametrize("engine", KINDS[1:], indirect=True)
def test_a_cluster_may_shrink_while_groups_wait(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = iter([8])
    monkeypatch.setattr(engine, "_ahead", lambda: next(ahead, 1))
    found = mapped(engine, functions.write_part, tmp_path, range(12), "writing")
    assert list(found) == list(range(12))


@pytest.mark.parametrize("engine", KINDS[1:], indirect=True)
def test_a_node_that_is_lost_loses_no_image(
    engine: Engine, cluster: Any, tmp_path: Path, one_thread: None
) -> None:
    """It is killed while it encodes. Features, posterior and batch are those of one process."""
    plan = planned(tmp_path / "images", {f"{n:02d}.png": picture(n) for n in range(48)})
    alone, store = FeatureStore(tmp_path / "alone"), FeatureStore(tmp_path / "ray")
    encode_images(FakeEncoder(), plan, alone, batch_size=4)
    begun = tmp_path / "begun"
    begun.mkdir()

    def lose_one() -> None:
        while len({path.name.partition("-")[0] for path in begun.iterdir()}) < 2:
            time.sleep(0.05)  # both nodes are encoding
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    losing = threading.Thread(target=lose_one, daemon=True)
    losing.start()
    load = partial(SlowEncoder, begun)
    encode_on(engine, load, "fake", plan, store, batch_size=4, group_images=24)
    losing.join()
    assert len(list(begun.iterdir())) > 12  # batches: those of the lost node were begun again
    assert store.open_table().hashes == alone.open_table().hashes
    assert same(everything(store, plan), everything(alone, plan))

    table, rows, prompts = store.open_table(), torch.arange(48), torch.randn(7, 5)
    head = FakeEncoder.head
    summed = pool_factors(head, table, rows, prompts, batch=8, engine=engine)
    wanted = pool_factors(head, table, rows, prompts, batch=8)
    for side in ("image", "text"):
        one, other = getattr(summed, side), getattr(wanted, side)
        assert torch.equal(one.activation, other.activation)
        assert torch.equal(one.embedding, other.embedding)
    asked = context()
    assert highest_batch(replace(asked, engine=engine), BALD) == highest_batch(asked, BALD)


@pytest.mark.parametrize("engine", KINDS[1:], indirect=True)
def test_whatever_runs_on_a_cluster_is_that_of_one_process(
    engine: Engine, tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fit from pairs, sample of the default strategy, neighbours, predictions and simulations."""
    monkeypatch.setattr("alworkbench.posterior.fit_pairs.SHARD_PAIRS", 12)
    fitted = [
        fit_posterior(
            load_toy(),
            open_pairs(pairs_in(tmp_path, 30)),
            batch=6,
            seed=0,
            progress=silent,
            partial=tmp_path,
            engine=each,
            load=load_toy,
        ).posterior
        for each in (None, engine)
    ]
    for side in ("image", "text"):
        one, other = (getattr(each, side).embedding for each in fitted)
        assert torch.equal(one.vectors, other.vectors)

    asked, coverage = context(pool_is_target=True), find_strategy("coverage")
    asked = replace(asked, settings=replace(asked.settings, most_targets=6, most_candidates=9))
    assert coverage.select(replace(asked, engine=engine)) == coverage.select(asked)

    table, rows = asked.table, torch.arange(len(asked.table)).flip(0)
    near = [most_similar(table, rows, engine=each) for each in (None, engine)]
    assert all((one == other).all() for one, other in zip(*near, strict=True))
    work = Predicting(CalibratedLearner(asked.learner), table, rows, 2, seed=3)
    (alone,), (found,) = predicted(work, None), predicted(work, engine)
    assert torch.equal(found.probabilities, alone.probabilities)
    assert torch.equal(found.parts, alone.parts)

    plan = Plan(("random", "margin"), seeds=1, batch_sizes=(4,), labels=4)
    results = [
        run_plan(toy_data(), plan, memory_store, tmp_path / name, engine=each)
        for name, each in (("alone", None), ("ray", engine))
    ]
    kept, wanted = ([point.without_costs() for point in each.points] for each in results)
    assert kept == wanted
