"""Replays: deterministic, blind to the test part, and read again instead of run again."""

from __future__ import annotations

import dataclasses
import fcntl
import inspect
import multiprocessing
import pickle
import random
import re
import shutil
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from alworkbench.core import versions as code
from alworkbench.core.domain import NO_CLASS, AnswerKind, Arm, SimulationPoint
from alworkbench.core.errors import (
    EngineError,
    InvalidPlan,
    UnknownAdaptation,
    UnknownStrategy,
    WorkbenchError,
)
from alworkbench.core.worker_process import READY
from alworkbench.engines.engine import GroupFailed
from alworkbench.features.table import FeatureTable
from alworkbench.project.workbench import Workbench
from alworkbench.simulation import workers
from alworkbench.simulation.dataset import TrueLabels, pool_of_seed
from alworkbench.simulation.engine_runs import LOCK
from alworkbench.simulation.experiment import run_plan
from alworkbench.simulation.oracles import NeverAsked, Oracle
from alworkbench.simulation.plan import OraclePlan, Plan, Run
from alworkbench.simulation.rerun import plan_of
from alworkbench.simulation.results import load_result, load_results
from alworkbench.simulation.run import OpenStore
from alworkbench.simulation.runner import simulate
from store import memory_store
from tests.engines.inline_engine import InlineEngine
from tests.forking import FORKING
from tests.simulated import (
    LONG_PLAN,
    POOL,
    TEST,
    EndsAtTheStart,
    divide_by_zero,
    kill_this_process,
    refuse,
    replay_here,
    toy_data,
)

PLAN = Plan(strategies=("random", "margin", "epig"), seeds=2, batch_sizes=(4,), labels=8)


def as_list(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def content(points: list[SimulationPoint]) -> list[SimulationPoint]:
    return [point.without_costs() for point in points]


@pytest.fixture(scope="module")
def whole() -> list[SimulationPoint]:
    return content(simulate(toy_data(), PLAN, memory_store))


# --------------------------------------------------------------------------------- the same figures


def test_the_number_of_processes_changes_nothing(whole: list[SimulationPoint]) -> None:
    plan = dataclasses.replace(PLAN, strategies=("random", "margin"))
    two = content(simulate(toy_data(), plan, memory_store, processes=2))
    assert two == [point for point in whole if point.arm.strategy != "epig"]


def test_an_engine_gives_the_same_result_and_goes_on_after_runs_that_failed(
    whole: list[SimulationPoint], tmp_path: Path
) -> None:
    """Finished runs are kept, by the worker and by this process; features go through a file."""

    class Failing(InlineEngine):
        def map_groups(self, function, shared, groups, *, gpus=0):  # type: ignore[no-untyped-def]
            yield GroupFailed(True, "its worker was killed. It was tried 4 times")
            yield from super().map_groups(function, shared, groups[1:], gpus=gpus)

    plan = dataclasses.replace(PLAN, strategies=("random", "margin"))
    told, rest = [], InlineEngine()
    with pytest.raises(
        EngineError, match=r"1 of 4 runs failed, .* random-\S+-0: its worker was killed"
    ):
        run_plan(toy_data(), plan, memory_store, tmp_path, engine=Failing())
    (folder,) = tmp_path.iterdir()
    killed, other = folder / "features-killed", folder / "features-other"
    for left in (killed, other):
        left.mkdir()
        (left / LOCK).touch()
    with (other / LOCK).open("a") as lock:  # another program computes there
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run_plan(
            toy_data(),
            plan,
            memory_store,
            tmp_path,
            lambda *step: told.append(step),
            engine=rest,
        )
    assert [each.name for each in folder.glob("features-*")] == [other.name]
    shutil.rmtree(other)
    assert rest.groups == 1
    assert told[-1] == ("runs", 1, 1)
    assert rest.sent < 1_000
    assert content(result.points) == [point for point in whole if point.arm.strategy != "epig"]
    assert result.facts["engine"] == "inline"
    alone = run_plan(toy_data(), plan, memory_store, tmp_path / "alone")
    assert alone.key == result.key
    names = {path.name for path in result.folder.iterdir()}
    assert names == {path.name for path in alone.folder.iterdir()}
    with pytest.raises(ValueError, match="needs a folder"):
        simulate(toy_data(), plan, memory_store, engine=rest)


@pytest.mark.parametrize(
    ("open_store", "why"),
    [
        (
            EndsAtTheStart(),
            r"process for the simulation ended with exit status 3\. .*--processes 1",
        ),
        (kill_this_process, r"the run random-\S+ was killed by signal 9 .*--processes 1"),
    ],
)
def test_a_process_that_ends_early_ends_the_simulation_with_a_sentence(open_store, why) -> None:  # type: ignore[no-untyped-def]
    plan = dataclasses.replace(PLAN, strategies=("random",))
    with pytest.raises(WorkbenchError, match=why):
        simulate(toy_data(), plan, open_store, processes=2)


def test_the_same_plan_gives_the_same_points_in_the_order_of_its_runs(
    whole: list[SimulationPoint],
) -> None:
    turned = dataclasses.replace(PLAN, strategies=PLAN.strategies[::-1])
    found = content(simulate(toy_data(), turned, memory_store))
    assert found == [p for run in turned.runs() for p in whole if Run(p.arm, p.seed) == run]


def test_every_run_starts_alike_and_asks_what_it_may(whole: list[SimulationPoint]) -> None:
    assert len(whole) == 2 * 3 * (1 + 2)
    for seed in range(2):
        assert len({p.accuracy for p in whole if p.seed == seed and p.round == 0}) == 1
    for point in whole:
        assert sum(point.classes_asked) == len(point.images) == (4 if point.round else 0)
        assert point.asked == point.paid == point.labels == 4 * point.round


# ----------------------------------------------------------------------------- what must not meet


def test_the_truth_of_the_test_part_does_not_reach_the_choice(whole: list[SimulationPoint]) -> None:
    """Other labels on the test part: other accuracies, the same images asked."""
    plain = toy_data()
    changed = plain.labels.clone()
    changed[POOL:] = (changed[POOL:] + 1) % 4
    other = simulate(dataclasses.replace(plain, labels=changed), PLAN, memory_store)
    assert [p.images for p in other] == [p.images for p in whole]
    assert [p.accuracy for p in other] != [p.accuracy for p in whole]


def test_labels_that_were_not_asked_do_not_reach_the_choice(whole: list[SimulationPoint]) -> None:
    """The first batch is chosen before any label: other pool labels cannot change it."""
    plain = toy_data()
    swapped = torch.cat([(plain.labels[:POOL] + 1) % 4, plain.labels[POOL:]])
    data = dataclasses.replace(plain, labels=swapped)
    found = simulate(data, dataclasses.replace(PLAN, labels=4), memory_store)
    assert [p.images for p in found] == [p.images for p in whole if p.round <= 1]


def test_a_run_has_no_features_of_the_test_part_unless_it_is_declared() -> None:
    data = toy_data()
    hashes = data.table.hashes
    test = {hashes[row] for row in data.test.tolist()}
    plan = dataclasses.replace(PLAN, audit=5)
    place = data.run_inputs(0, plan)
    assert not test & set(place.engine.table().hashes)
    assert place.targets == ()
    assert sorted(place.engine.table().hashes) == sorted((*place.pool, *place.audit))
    declared = data.run_inputs(0, dataclasses.replace(plan, transductive=True))
    assert set(declared.targets) == test
    assert not test & {*declared.pool, *declared.audit}
    assert not test & data.truth(declared).keys()


def test_features_of_the_test_part_reach_the_choice_where_that_is_declared() -> None:
    plain = toy_data()
    features = plain.table.gather(torch.arange(POOL + TEST))
    features.activations[POOL:] = features.activations[POOL:].flip(1)
    other = dataclasses.replace(
        plain, table=FeatureTable.from_features(plain.table.hashes, features)
    )
    for transductive in (False, True):
        plan = Plan(("epig",), seeds=1, batch_sizes=(8,), labels=8, transductive=transductive)
        asked = [[p.images for p in simulate(d, plan, memory_store)] for d in (plain, other)]
        assert (asked[0] == asked[1]) is not transductive


def test_arms_of_one_seed_share_pool_and_audit_set_and_seeds_do_not() -> None:
    data, plan = toy_data(), dataclasses.replace(PLAN, audit=6)
    one, same, other = (data.run_inputs(seed, plan) for seed in (0, 0, 1))
    assert (one.pool, one.audit) == (same.pool, same.audit)
    assert one.audit != other.audit
    assert not set(one.pool) & set(one.audit)
    assert len(one.pool) + len(one.audit) == round(POOL * 2 / 3)


def test_the_oracle_answers_nothing_that_was_not_asked() -> None:
    data = toy_data()
    place = data.run_inputs(0, PLAN)
    oracle = Oracle(data.truth(place), 4, OraclePlan(), seed=0)
    for image in place.pool:
        with pytest.raises(NeverAsked):
            oracle.reply(image)


def test_parts_that_share_an_image_are_refused() -> None:
    with pytest.raises(ValueError, match="share 1 images"):
        TrueLabels({"a": "ant"}, {"a": "ant"})
    with pytest.raises(ValueError, match="share 1 images"):
        dataclasses.replace(toy_data(), test=torch.arange(POOL - 1, POOL + TEST))


def test_labels_that_cannot_be_used_are_refused() -> None:
    data = toy_data()
    for row, label in ((0, -1), (POOL, NO_CLASS), (0, 4)):
        labels = data.labels.clone()
        labels[row] = label
        with pytest.raises(ValueError, match="images of the"):
            dataclasses.replace(data, labels=labels)


def test_seeds_see_different_parts_of_the_pool_and_strategies_the_same() -> None:
    pool = list(range(100))
    one, other = pool_of_seed(pool, 0, 2 / 3), pool_of_seed(pool, 1, 2 / 3)
    assert len(one) == len(other) == 67
    assert one != other
    assert one == pool_of_seed(pool, 0, 2 / 3)


# ------------------------------------------------------------------------------------- what is paid


def test_what_teaches_nothing_is_paid_for_all_the_same() -> None:
    """Skipped images, images of no class and the audit set: paid, not learned from."""
    data = toy_data(outside=30)
    plan = Plan(
        ("random",),
        seeds=1,
        batch_sizes=(5,),
        labels=20,
        audit=7,
        oracle=OraclePlan(skip=0.3, seconds=(2.0, 4.0)),
    )
    points = simulate(data, plan, memory_store)
    assert [p.asked for p in points] == [0, 5, 10, 15, 20]
    assert all(p.paid == p.asked + 7 for p in points)
    assert points[-1].labels < 20 - sum(p.classes_asked[-1] for p in points[1:])
    assert sum(p.classes_asked[-1] for p in points) > 0
    assert 7 * 2 <= points[0].seconds_answering <= 7 * 4
    assert all(5 * 2 <= p.seconds_answering <= 5 * 4 for p in points[1:])


def asked_all(plan: OraclePlan, seed: int = 0, images: int = 4000) -> list:
    truth = {f"{n}": n % 4 if n % 8 else NO_CLASS for n in range(images)}
    oracle = Oracle(truth, 4, plan, seed)
    oracle._asked.update(truth)
    return [oracle.reply(image) for image in truth]


def test_the_share_of_wrong_and_skipped_answers_is_what_was_planned() -> None:
    replies = asked_all(OraclePlan(noise=0.2, skip=0.25))
    skipped = [r for r in replies if r.kind is AnswerKind.SKIP]
    answered = [r for r in replies if r.kind is AnswerKind.CLASS]
    wrong = [r for r in answered if r.answer != r.truth]
    assert len(skipped) / len(replies) == pytest.approx(0.25, abs=0.03)
    assert len(wrong) / len(answered) == pytest.approx(0.2, abs=0.03)
    assert {r.answer for r in wrong} == {0, 1, 2, 3}
    told = {r.truth for r in replies if r.kind is AnswerKind.CANNOT_TELL}
    assert told == {NO_CLASS}
    assert not any(r.truth == NO_CLASS for r in answered)


def test_a_confusion_matrix_is_followed() -> None:
    noise = ((0.5, 0.5, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), *((0.0, 0.0, 0.0, 1.0),) * 2)
    by_class = {
        truth: [r.answer for r in asked_all(OraclePlan(noise=noise)) if r.truth == truth]
        for truth in range(4)
    }
    assert by_class[0].count(1) / len(by_class[0]) == pytest.approx(0.5, abs=0.06)
    assert set(by_class[0]) == {0, 1}
    assert [set(by_class[k]) for k in (1, 2, 3)] == [{1}, {3}, {3}]


def test_one_seed_gets_the_same_answers_and_another_seed_others() -> None:
    plan = OraclePlan(noise=0.5, skip=0.2, seconds=(1.0, 2.0, 3.0))
    assert asked_all(plan, 3, 200) == asked_all(plan, 3, 200)
    assert asked_all(plan, 3, 200) != asked_all(plan, 4, 200)


# --------------------------------------------------------------------------------------- refusals


def test_what_cannot_be_run_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownStrategy):
        simulate(toy_data(), dataclasses.replace(PLAN, strategies=("nonsense",)), memory_store)
    with pytest.raises(UnknownAdaptation):
        simulate(toy_data(), dataclasses.replace(PLAN, adaptations=("nonsense",)), memory_store)
    with pytest.raises(UnknownAdaptation):
        simulate(toy_data(), dataclasses.replace(PLAN, baselines=("nonsense",)), memory_store)
    with pytest.raises(InvalidPlan, match="40"):
        simulate(toy_data(), dataclasses.replace(PLAN, labels=30, audit=11), memory_store)
    noise = OraclePlan(noise=((1.0, 0.0), (0.0, 1.0)))
    with pytest.raises(InvalidPlan, match="4 rows and columns"):
        simulate(toy_data(), dataclasses.replace(PLAN, oracle=noise), memory_store)


def answer_of_a_worker(folder: Path, open_store: OpenStore) -> object:
    """What a worker answers to the first run, through a real line; it works in a thread here."""
    shared = workers.Parcel.pack(toy_data(), folder), PLAN, open_store
    threads, (ours, theirs) = torch.get_num_threads(), multiprocessing.Pipe()
    worker = threading.Thread(target=workers.serve, args=(theirs, shared))
    worker.start()
    with ours:
        assert ours.recv_bytes() == READY
        ours.send(PLAN.runs()[0])
        found: object = ours.recv()
    worker.join()
    theirs.close()
    torch.set_num_threads(threads)
    return found


def test_a_fault_in_a_worker_is_told_in_its_words(tmp_path: Path) -> None:
    """Errors with a message of their own making cannot be unpickled; what is sent can."""
    told = answer_of_a_worker(tmp_path, refuse)
    assert isinstance(told, WorkbenchError)
    assert "no strategy 'nonsense'" in str(told)


def test_an_error_that_nobody_foresaw_keeps_its_trace(tmp_path: Path) -> None:
    told = answer_of_a_worker(tmp_path, divide_by_zero)
    assert isinstance(told, RuntimeError)
    assert re.search(r"in divide_by_zero\n(.*\n)+ZeroDivisionError: by nobody", str(told))


def test_what_is_sent_to_workers_arrives_as_it_was(tmp_path: Path) -> None:
    data = toy_data(outside=3)
    # As decompositions and views lie in memory: sums of other orders round otherwise.
    turned = data.class_activations.T.contiguous().T
    data = dataclasses.replace(data, class_activations=turned)
    parcel = workers.Parcel.pack(data, tmp_path)
    arrived = pickle.loads(pickle.dumps(parcel)).open()
    assert arrived.fingerprint() == data.fingerprint()
    assert arrived.class_activations.stride() == turned.stride() == (1, 4)
    vectors = [each.posterior.image.activation.vectors for each in (data, arrived)]
    assert vectors[0].stride() == vectors[1].stride()


# --------------------------------------------------------------------------- kept, and gone on with


def test_another_plan_other_data_or_other_code_is_another_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = toy_data()
    features = data.table.gather(torch.arange(POOL + TEST))
    features.activations[0, 0] += 1
    others = [
        dataclasses.replace(data, labels=(data.labels + 1) % 4),
        dataclasses.replace(data, class_activations=2 * data.class_activations),
        dataclasses.replace(data, table=FeatureTable.from_features(data.table.hashes, features)),
    ]
    prints = [each.fingerprint() for each in (data, *others)]
    plans = [PLAN, dataclasses.replace(PLAN, oracle=OraclePlan(skip=0.1))]
    keys = {
        plan.key(known, version) for plan in plans for known in prints for version in ("a", "b")
    }
    assert len(keys) == 2 * 4 * 2
    assert toy_data().fingerprint() == prints[0]


def test_baselines_add_runs_of_random_and_change_no_other(
    tmp_path: Path, whole: list[SimulationPoint]
) -> None:
    plan = dataclasses.replace(PLAN, baselines=("nearest-mean",))
    result = run_plan(toy_data(), plan, memory_store, tmp_path)
    baseline = Arm("random", "nearest-mean", 4)
    assert set(result.arms) - set(result.compared) == {baseline}
    assert result.compared == PLAN.arms
    assert [p for p in content(list(result.points)) if p.arm != baseline] == whole
    asked = {
        arm: [p.images for p in result.points if p.arm == arm] for arm in (baseline, PLAN.arms[0])
    }
    assert asked[baseline] == asked[PLAN.arms[0]]
    assert result.name == "toy: random, margin, epig"
    assert plan_of(load_result(result.folder)) == plan


def test_the_code_s_version_follows_what_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {path.name for path in code.source_files()}
    assert {"run.py", "oracles.py", "draw_space.py", "learner.py", "workbench.py"} <= names
    assert not {"main.py", "simulating.py"} & names
    parts = {Path(inspect.getfile(part)) for part in Workbench.__mro__ if part is not object}
    assert parts <= set(code.source_files())
    found = code.code_version()
    other = tmp_path / "heads.py"
    other.write_text("# another")
    paths = [*code.source_files()[1:], code.source_files()[0].parent / other.name]
    code.code_version.cache_clear()
    monkeypatch.setattr(code, "source_files", lambda: paths[:-1])
    assert code.code_version() != found
    code.code_version.cache_clear()


def test_only_what_is_not_finished_runs_again(tmp_path: Path, whole: list[SimulationPoint]) -> None:
    class Stop(Exception):
        pass

    def stop_after_two(what: str, done: int, total: int) -> None:
        if what == "runs" and done == 2:
            raise Stop

    opened = []

    def counted(*arguments):  # type: ignore[no-untyped-def]
        opened.append(arguments)
        return memory_store(*arguments)

    # Interrupted: the finished runs are kept.
    with pytest.raises(Stop):
        run_plan(toy_data(), PLAN, memory_store, tmp_path, stop_after_two)
    first = run_plan(toy_data(), PLAN, counted, tmp_path)
    assert len(opened) == 2 * 3 - 2
    assert content(list(first.points)) == whole

    # Finished: the result is read.
    assert run_plan(toy_data(), PLAN, counted, tmp_path) == first
    assert len(opened) == 2 * 3 - 2
    assert load_results(tmp_path) == [first]
    rows = pq.read_table(first.folder / "points.parquet").to_pylist()
    assert rows == [{k: as_list(v) for k, v in p.as_row().items()} for p in first.points]

    # Damaged: the run whose file cannot be read runs again, and no other.
    (first.folder / "result.json").unlink()
    (first.folder / "runs" / f"{PLAN.runs()[1].name}.json").write_text('[{"arm"')
    again = run_plan(toy_data(), PLAN, counted, tmp_path)
    assert len(opened) == 2 * 3 - 1
    assert content(list(again.points)) == whole


def test_killed_five_times_it_gives_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 at random moments: runs that were done are kept, the one that was cut is run again."""
    # The processes come from one fresh interpreter that has imported everything once.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    moments = random.Random(0)
    for _ in range(5):
        before = runs_kept(tmp_path)
        process = FORKING.Process(target=replay_here, args=(str(tmp_path),))
        process.start()
        while runs_kept(tmp_path) == before and process.is_alive():
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        assert process.is_alive(), "it was done before it could be killed: make LONG_PLAN longer"
        process.kill()
        process.join()
        process.close()
        assert not list(tmp_path.glob("*/result.json"))
    places = [tmp_path, tmp_path / "unbroken"]  # the broken one goes on, the other runs at once
    last = [FORKING.Process(target=replay_here, args=(str(place),)) for place in places]
    for process in last:
        process.start()
    for process in last:
        process.join()
        process.close()
    broken, unbroken = (list(load_results(place)[0].points) for place in places)
    assert len(broken) == len(LONG_PLAN.runs()) * 3
    assert content(broken) == content(unbroken)


def runs_kept(out: Path) -> int:
    return len(list(out.glob("*/runs/*.json")))


def test_ways_of_learning_are_compared_on_the_same_questions_and_stay_what_they_are() -> None:
    """Random questions do not depend on how is learned; figures do, zero-shot's never move."""
    plan = dataclasses.replace(
        PLAN, strategies=("random",), adaptations=("linearised", "probe", "zero-shot"), seeds=1
    )
    by_way: dict[str, list[SimulationPoint]] = {}
    for point in simulate(toy_data(), plan, memory_store):
        by_way.setdefault(point.arm.adaptation, []).append(point)
    assert len({tuple(p.images for p in points) for points in by_way.values()}) == 1
    figures = {way: [p.nlpd for p in points] for way, points in by_way.items()}
    assert len(set(figures["zero-shot"])) == 1
    assert len({values[-1] for values in figures.values()}) == 3
