"""The loop replayed with an oracle where the annotator stands, through the same service.

Every run gets a project of its own in memory; features, posterior and truth are shared. The oracle is
asked for the label of an image when, and only when, it has been proposed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from alworkbench.acquisition.registry import find_strategy
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


def simulate(
    data: SimulationData, plan: Plan, open_store: OpenStore, progress: Progress = silent
) -> list[Point]:
    """Every strategy with every seed; deterministic in plan and data. Raises UnknownStrategy."""
    for name in plan.strategies:
        find_strategy(name)
    total = plan.seeds * len(plan.strategies)
    points: list[Point] = []
    for seed in range(plan.seeds):
        for name in plan.strategies:
            points.extend(run(data, plan, name, seed, open_store))
            done = seed * len(plan.strategies) + plan.strategies.index(name) + 1
            progress("simulating", done, total)
    return points


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
