"""The loop replayed with an oracle where the annotator stands, through the same service.

Every run gets a project of its own in memory; features, posterior and truth are shared. The oracle is
asked for the label of an image when, and only when, it has been proposed.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.domain import (
    Answer,
    AnswerKind,
    ClassList,
    EncoderRecord,
    FoundImage,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.engine import FixedEngine
from alworkbench.ports import Store
from alworkbench.progress import Progress, silent
from alworkbench.simulation.data import SimulationData, pool_of_seed
from alworkbench.simulation.plan import Plan, Point
from alworkbench.workbench import Workbench

OpenStore = Callable[[ProjectSettings, ClassList, datetime], Store]
"""Makes an empty store that lasts as long as a run."""

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
"""Simulated time stands still: nothing in a run depends on the clock."""


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: a strategy with a seed."""

    strategy: str
    seed: int


def runs_of(plan: Plan) -> list[Run]:
    """Every run of a plan, in the order in which results are listed. Raises UnknownStrategy."""
    for name in plan.strategies:
        find_strategy(name)
    return [Run(name, seed) for seed in range(plan.seeds) for name in plan.strategies]


def simulate(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    *,
    runs: Sequence[Run] | None = None,
    processes: int = 1,
    progress: Progress = silent,
    finished: Callable[[Run, list[Point]], None] = lambda run, points: None,
) -> list[Point]:
    """Every run of the plan, or those given; deterministic in plan and data.

    Each run computes in one thread, so that the number of processes changes nothing but the time.
    `open_store` must be a function that another process can import. `finished` is called in this
    process with each run that is done, in no certain order.
    """
    runs = runs_of(plan) if runs is None else runs
    total = len(runs)
    done: dict[Run, list[Point]] = {}
    progress("simulating", 0, total)
    for each, points in _replayed(data, plan, open_store, runs, min(processes, total)):
        done[each] = points
        finished(each, points)
        progress("simulating", len(done), total)
    return [point for each in runs for point in done[each]]


def _replayed(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    runs: Sequence[Run],
    processes: int,
) -> Iterator[tuple[Run, list[Point]]]:
    if processes <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for each in runs:
                yield each, list(run(data, plan, each.strategy, each.seed, open_store))
        finally:
            torch.set_num_threads(threads)
        return
    # Fresh interpreters: a fork would copy torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _prepare, (data, plan, open_store))
    try:
        waiting = {pool.submit(_run_prepared, each): each for each in runs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_prepared: tuple[SimulationData, Plan, OpenStore] | None = None
"""What a worker process was started with: sent once, used for all of its runs."""


def _prepare(data: SimulationData, plan: Plan, open_store: OpenStore) -> None:
    global _prepared
    torch.set_num_threads(1)
    _prepared = data, plan, open_store


def _run_prepared(each: Run) -> list[Point]:
    if _prepared is None:
        raise RuntimeError("a worker ran before it was prepared")
    data, plan, open_store = _prepared
    return list(run(data, plan, each.strategy, each.seed, open_store))


def run(
    data: SimulationData, plan: Plan, strategy: str, seed: int, open_store: OpenStore
) -> Iterator[Point]:
    """One run: yields the model as it came, then each round's learner."""
    settings = ProjectSettings(
        name=f"{data.name}-{strategy}-{seed}", seed=1000 * seed, batch_size=plan.batch_size
    )
    with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
        store = open_store(settings, data.classes, EPOCH)
        try:
            yield from _run(data, plan, strategy, seed, store, Path(scratch))
        finally:
            store.close()


def _run(
    data: SimulationData, plan: Plan, strategy: str, seed: int, store: Store, scratch: Path
) -> Iterator[Point]:
    oracle = _populate(data, plan, seed, store)
    engine = FixedEngine(
        data.encoder_id, data.head, data.table, data.class_activations, data.posterior
    )
    workbench = Workbench(
        ProjectFolder(scratch),
        store,
        engine=engine,
        strengths=plan.strengths,
        clock=lambda: EPOCH,
    )
    classes = workbench.classes()
    asked_before = 0
    while asked_before < plan.labels:
        size = min(plan.batch_size, plan.labels - asked_before)
        started = time.perf_counter()
        opened = workbench.propose(strategy, size)
        asking = time.perf_counter() - started
        if asked_before == 0:
            yield _point(workbench, strategy, seed, 0.0, 0.0, (0,) * len(classes))
        items = workbench.claim("oracle", size)
        counts = [0] * len(classes)
        for item in items:
            index = oracle[item.image_id]
            counts[index] += 1
            workbench.record(
                Answer(
                    event_id=f"{opened.number}-{item.position}",
                    image_id=item.image_id,
                    kind=AnswerKind.CLASS,
                    annotator="oracle",
                    class_id=classes.classes[index].id,
                    item_id=item.id,
                    lease_token=item.lease.token if item.lease else None,
                    source="oracle",
                )
            )
        started = time.perf_counter()
        workbench.close_round()
        learning = time.perf_counter() - started
        asked_before += len(items)
        yield _point(workbench, strategy, seed, asking, learning, tuple(counts))


def _populate(data: SimulationData, plan: Plan, seed: int, store: Store) -> dict[int, int]:
    """Fill the store with this seed's pool and the labelled test part; the oracle's knowledge."""
    hashes = data.table.hashes
    pool = pool_of_seed(data.pool.tolist(), seed, plan.pool_fraction)
    with store.write() as writer:
        for role, rows in ((Role.POOL, pool), (Role.AUDIT, data.test.tolist())):
            found = [FoundImage(hashes[row], f"{row}", 0, 0, 0) for row in rows]
            writer.images.add(found, [], root="simulated", role=role)
        classes = writer.classes.current()
        writer.computed.set_encoder(EncoderRecord(data.encoder_id, "simulated"))
        writer.computed.add_posterior(data.encoder_id, "simulated", {}, EPOCH)
        row_of = {hashes[row]: row for row in (*pool, *data.test.tolist())}
        truth = {
            image: int(data.labels[row_of[content]])
            for role in Role
            for image, content in writer.images.ids_and_hashes(role)
        }
        audit = [image for image, _ in writer.images.ids_and_hashes(Role.AUDIT)]
        writer.labels.add_many(
            [
                Answer(
                    event_id=f"test-{image}",
                    image_id=image,
                    kind=AnswerKind.CLASS,
                    annotator="oracle",
                    class_id=classes.classes[truth[image]].id,
                    source="oracle",
                )
                for image in audit
            ],
            EPOCH,
        )
    return truth


def _point(
    workbench: Workbench,
    strategy: str,
    seed: int,
    asking: float,
    learning: float,
    asked: tuple[int, ...],
) -> Point:
    newest = workbench.metrics()[-1]
    values = newest.values
    return Point(
        strategy,
        seed,
        newest.labels,
        values["accuracy"],
        values["balanced_accuracy"],
        values["nlpd"],
        values["ece"],
        asking,
        learning,
        asked,
    )
