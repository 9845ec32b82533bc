"""One run of a simulation: an oracle takes the place of the annotator and uses the same workbench.

Each run has a project of its own in memory with its seed's part of the pool. Its learners are measured
outside of that project, on a test part that the project never holds.
"""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alworkbench.core.domain import (
    AnswerKind,
    ClassList,
    EncoderRecord,
    FoundImage,
    Goal,
    ProjectFolder,
    ProjectSettings,
    Role,
    SimulationPoint,
)
from alworkbench.core.ports import Store
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import RunInputs, SimulationData, TestPart
from alworkbench.simulation.oracles import Oracle, Reply
from alworkbench.simulation.plan import Plan, Run

OpenStore = Callable[[ProjectSettings, ClassList, datetime], Store]
"""Makes an empty store for one run."""


EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
"""The time in a simulation. It stands still, so that nothing in a run depends on the clock."""


SEED_STEP = 1_000_000
"""Distance between the seeds of two projects, so that their rounds never share a seed."""


@dataclass(frozen=True, slots=True)
class SeedData:
    """The data that all runs of one seed share."""

    seed: int
    inputs: RunInputs
    truth: dict[str, int]


class Simulator:
    """Computes the runs of one process; what they share is computed once."""

    def __init__(self, data: SimulationData, plan: Plan, open_store: OpenStore) -> None:
        self.data = data
        self.plan = plan
        self._open_store = open_store
        self._test = data.test_part()
        self._shared: SeedData | None = None

    def run(self, run: Run, prepare_at: float | None = None) -> Iterator[SimulationPoint]:
        """Yields a point for the zero-shot model, then one for the learner of each round.

        With `prepare_at`, each round but the first is ranked when that share of the round before is
        answered, as by a server (`project.prepared_rounds`).
        """
        shared = self._of_seed(run.seed)
        settings = ProjectSettings(
            name=f"{self.data.name}-{run.name}",
            strategy=run.arm.strategy,
            batch_size=run.arm.batch_size,
            seed=SEED_STEP * run.seed,
            goal=Goal(self.plan.goal),
            adaptation=run.arm.adaptation,
        )
        with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
            store = self._open_store(settings, self.data.classes, EPOCH)
            try:
                populate(store, shared.inputs)
                workbench = Workbench(
                    ProjectFolder(Path(scratch)),
                    store,
                    engine=shared.inputs.engine,
                    strengths=self.plan.strengths,
                    targets=shared.inputs.targets,
                    clock=lambda: EPOCH,
                    take_snapshots=False,
                )
                oracle = Oracle(shared.truth, len(self.data.classes), self.plan.oracle, run.seed)
                yield from _replayed(workbench, oracle, self._test, self.plan, run, prepare_at)
            finally:
                store.close()

    def _of_seed(self, seed: int) -> SeedData:
        """Kept until the seed changes, because runs come in the order of their seeds."""
        if self._shared is None or self._shared.seed != seed:
            inputs = self.data.run_inputs(seed, self.plan)
            self._shared = SeedData(seed, inputs, self.data.truth(inputs))
        return self._shared


def populate(store: Store, inputs: RunInputs) -> None:
    """Fill an empty store with the images that a run may ask, as an import would."""
    encoder = inputs.engine.encoder_id
    with store.write() as writer:
        for role, hashes in ((Role.POOL, inputs.pool), (Role.AUDIT, inputs.audit)):
            found = [FoundImage(content, content, 0, 0, 0) for content in hashes]
            writer.images.add(found, [], root="simulated", role=role)
        writer.computed.set_encoder(EncoderRecord(encoder, "simulated"))
        writer.computed.add_posterior(encoder, "simulated", {}, EPOCH)


@dataclass(slots=True)
class Tally:
    """Counts of a run so far."""

    round: int = 0
    labels: int = 0
    asked: int = 0


def _replayed(
    workbench: Workbench,
    oracle: Oracle,
    test: TestPart,
    plan: Plan,
    run: Run,
    prepare_at: float | None,
) -> Iterator[SimulationPoint]:
    tally = Tally()
    audit = oracle.answer_audit(workbench)
    yield _point(workbench, test, plan, run, tally, [], audit, 0.0, 0.0)
    while tally.asked < plan.labels:
        size = min(run.arm.batch_size, plan.labels - tally.asked)
        started = time.perf_counter()
        asked = workbench.rounds.current()
        if asked is None:
            asked = workbench.rounds.propose(run.arm.strategy, size, sets=None)
        replies: list[Reply] = []
        goes_on = prepare_at is not None and tally.asked + asked.batch_size < plan.labels
        if goes_on:
            replies = oracle.answer_round(workbench, math.ceil((prepare_at or 1) * size))
            workbench.prepared.prepare()
        asking = time.perf_counter() - started
        replies += oracle.answer_round(workbench)
        tally.round += 1
        tally.asked += len(replies)
        tally.labels += sum(reply.kind is AnswerKind.CLASS for reply in replies)
        started = time.perf_counter()
        if goes_on:
            workbench.prepared.go_on()
            workbench.learners.learn(after=asked)
        else:
            workbench.rounds.close()
        learning = time.perf_counter() - started
        yield _point(workbench, test, plan, run, tally, replies, replies, asking, learning)


def _point(
    workbench: Workbench,
    test: TestPart,
    plan: Plan,
    run: Run,
    tally: Tally,
    asked: Sequence[Reply],
    answered: Sequence[Reply],
    asking: float,
    learning: float,
) -> SimulationPoint:
    """Measure the newest learner. `answered` are the replies that took time: the batch, or the audit set."""
    classes = len(workbench.classes.current())
    counts = [0] * (classes + 1)
    for reply in asked:
        counts[reply.truth if reply.truth >= 0 else classes] += 1
    started = time.perf_counter()
    found = test.measure(workbench.learners.newest())
    measuring = time.perf_counter() - started
    return SimulationPoint(
        arm=run.arm,
        seed=run.seed,
        round=tally.round,
        labels=tally.labels,
        paid=tally.asked + plan.audit,
        asked=tally.asked,
        accuracy=found.accuracy,
        balanced_accuracy=found.balanced_accuracy,
        macro_f1=found.macro_f1,
        nlpd=found.nlpd,
        brier=found.brier,
        ece=found.ece,
        ece_floor=found.ece_floor,
        recall=found.recall,
        classes_asked=tuple(counts),
        images=tuple(reply.image for reply in asked),
        seconds_asking=asking,
        seconds_learning=learning,
        seconds_measuring=measuring,
        seconds_answering=sum((reply.seconds for reply in answered), 0.0),
        peak_bytes=peak_bytes(),
    )


def peak_bytes() -> int:
    """Peak memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1024 if sys.platform == "linux" else 1)
