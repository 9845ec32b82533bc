"""The stopping adviser's past error: `python -m tests.bench.stopping [COLLECTION ...] [--cache FOLDER]`.

Each run labels one collection from its pool, with an audit set of its own (100 images, drawn at random)
and an oracle that is always right; after every round the adviser reads the records, as a screen does.
The truth is the accuracy on images of the same pool that the run never had: what an audit set stands
for. (A test part with other shares of classes is another question; no audit set can answer it.)
The target lies at 70 % of the way from zero-shot accuracy to where the runs end on average, so that it
is reached within the budget by most. `without audit` hears the same records less the audit set.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from alworkbench.core.domain import EncoderRecord, FoundImage, ProjectFolder, ProjectSettings, Role
from alworkbench.datasets.collections import collections
from alworkbench.project.accuracy_report import history
from alworkbench.project.stopping import Advice, History, Verdict, advise
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData, TestPart
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.oracles import Oracle
from alworkbench.simulation.past_error import PastError, Step, past_error
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import EPOCH
from store import memory_store

POOL = 1200
"""Images of the pool that each run sees, at most."""
AUDIT = 100
TRUTH = 2000
"""Unseen images of the pool that the truth is measured on, about, at most."""
REACH = 0.7
RULES = ("advice", "audit", "forecast", "gain", "stability", "without audit")


@dataclass(frozen=True)
class Watched:
    """One round: what rules could read, and what was true."""

    labels: int
    accuracy: float
    history: History


def run(data: SimulationData, plan: Plan, strategy: str, seed: int) -> list[Watched]:
    place = data.run_inputs(seed, plan)
    settings = ProjectSettings(data.name, strategy=strategy, batch_size=10, seed=1_000_000 * seed)
    store = memory_store(settings, data.classes, EPOCH)
    encoder = place.engine.encoder_id
    test = unseen(data, {*place.pool, *place.audit})
    try:
        with store.write() as writer:
            for role, hashes in ((Role.POOL, place.pool), (Role.AUDIT, place.audit)):
                pictures = [FoundImage(content, content, 0, 0, 0) for content in hashes]
                writer.images.add(pictures, [], root="simulated", role=role)
            writer.computed.set_encoder(EncoderRecord(encoder, "simulated"))
            writer.computed.add_posterior(encoder, "simulated", {}, EPOCH)
        with tempfile.TemporaryDirectory() as scratch:
            workbench = Workbench(ProjectFolder(Path(scratch)), store, engine=place.engine)
            oracle = Oracle(data.truth(place), len(data.classes), plan.oracle, seed)
            oracle.answer_audit(workbench)
            found, labels = [], 0
            while labels < plan.labels:
                workbench.rounds.propose()
                if not found:
                    found.append(
                        watched(workbench, 0, test.measure(workbench.learners.newest()).accuracy)
                    )
                labels += len(oracle.answer_round(workbench))
                workbench.rounds.close()
                found.append(
                    watched(workbench, labels, test.measure(workbench.learners.newest()).accuracy)
                )
            return found
    finally:
        store.close()


def unseen(data: SimulationData, had: set[str]) -> TestPart:
    """Labelled images of the pool that a run never had."""
    hashes, labels = data.table.hashes, data.labels
    left = [r for r in data.pool.tolist() if hashes[r] not in had and int(labels[r]) >= 0]
    rows = torch.tensor(left[:: max(1, len(left) // TRUTH)])
    return TestPart(data.table.gather(rows), labels[rows])


def watched(workbench: Workbench, labels: int, accuracy: float) -> Watched:
    with workbench.session.store.read() as reader:
        return Watched(labels, accuracy, history(reader, None))


def steps(found: Sequence[Watched], target: float) -> list[Step]:
    return [Step(each.labels, each.accuracy, said(each.history, target)) for each in found]


def said(known: History, target: float) -> frozenset[str]:
    """Which of RULES would stop. The zero-shot model is left out: nothing was labelled."""
    if len(known.snapshots) < 2:
        return frozenset()
    heard: Advice = advise(replace(known, target=target))
    blind = advise(replace(known, metrics=(), target=target))
    names = {f.rule for f in heard.findings if f.verdict is Verdict.MAY_STOP}
    names |= {"advice"} if heard.stop else set()
    return frozenset(names | ({"without audit"} if blind.stop else set()))


def judged(
    name: str, cache: Path, strategies: Sequence[str], seeds: int, labels: int
) -> list[PastError]:
    data = load_collection(name, cache)
    fraction = min(2 / 3, POOL / len(data.pool))
    plan = Plan(tuple(strategies), seeds=seeds, labels=labels, audit=AUDIT, pool_fraction=fraction)
    runs = [run(data, plan, strategy, seed) for strategy in strategies for seed in range(seeds)]
    start, end = (sum(r[at].accuracy for r in runs) / len(runs) for at in (0, -1))
    target = start + REACH * (end - start)
    told = [steps(each, target) for each in runs]
    print(
        f"\n{name}: zero-shot {start:.3f}, target {target:.3f}, after {labels} labels {end:.3f}",
        flush=True,
    )
    found = [past_error(rule, told, target) for rule in RULES]
    print_lines(found)
    return found


def print_lines(found: Sequence[PastError]) -> None:
    print(f"{'':15s} runs  stopped  too early  (short by)  reached  not told  labels wasted")
    for e in found:
        print(
            f"{e.rule:15s} {e.runs:4d}  {e.stopped:7d}  {e.too_early:9d}  {100 * e.missed:6.1f} pts"
            f"  {e.reached:7d}  {e.never:8d}  {e.wasted:13.0f}",
            flush=True,
        )


def together(found: Sequence[PastError]) -> PastError:
    """One rule over all collections."""
    early, late = (sum(getattr(e, n) for e in found) for n in ("too_early", "reached"))
    return PastError(
        found[0].rule,
        sum(e.runs for e in found),
        sum(e.stopped for e in found),
        early,
        sum(e.missed * e.too_early for e in found) / early if early else 0.0,
        late,
        sum(e.never for e in found),
        sum(e.wasted * e.reached for e in found) / late if late else 0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*", help="default: all that this machine can make")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "alworkbench")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=150)
    parser.add_argument("--strategies", nargs="*", default=["random", "margin"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.collections or [c.name for c in collections() if c.available is None]
    every = [judged(n, given.cache, given.strategies, given.seeds, given.labels) for n in names]
    print("\nall")
    print_lines([together(list(each)) for each in zip(*every, strict=True)])


if __name__ == "__main__":
    main()
