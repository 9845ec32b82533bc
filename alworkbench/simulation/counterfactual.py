"""A simulation of random, entropy and margin on the labels that a project collected.

Its pool is the labelled part of the project's pool, so that every image has a recorded answer. Its test
part is the audit set. `counterfactual_file.VALIDITY` says what it shows: nothing about images without a
label, and nothing beyond half of the labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from alworkbench.core.domain import AUDIT_STRATEGY, MetricRecord, SimulationPoint
from alworkbench.core.errors import TooFewLabels
from alworkbench.core.progress import Progress, silent
from alworkbench.evaluation.intervals import Estimate, estimate
from alworkbench.project.counterfactual_file import (
    Counterfactual,
    CounterfactualPoint,
    Reached,
    save_counterfactual,
)
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import join
from alworkbench.simulation.load.project_data import own_labels
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.run import OpenStore
from alworkbench.simulation.runner import simulate

STRATEGIES = ("random", "entropy", "margin")
LEAST_LABELS = 40
"""Labelled images of the pool that are needed: a curve over half of them needs four steps."""
LEAST_AUDIT = 30
"""Labelled audit images that are needed: with fewer, one image is more than 3 points of accuracy."""
STEPS = 4
"""Smallest number of rounds of a run."""


def counterfactual(
    workbench: Workbench,
    open_store: OpenStore,
    *,
    seeds: int = 5,
    processes: int = 1,
    progress: Progress = silent,
) -> Counterfactual:
    """Simulate, and store the result in the project folder. Raises TooFewLabels."""
    truth = own_labels(workbench)
    if len(truth.test) < LEAST_AUDIT:
        raise TooFewLabels(
            "A replay on the collected labels",
            len(truth.test),
            LEAST_AUDIT,
            "in the audit set",
            "Draw some with `alworkbench audit`, and label them.",
        )
    if len(truth.pool) < LEAST_LABELS:
        raise TooFewLabels(
            "A replay on the collected labels",
            len(truth.pool),
            LEAST_LABELS,
            "of the pool",
            "Go on labelling: `alworkbench propose`.",
        )
    half = len(truth.pool) // 2
    sizes = [r.batch_size for r in workbench.rounds.all() if r.strategy != AUDIT_STRATEGY]
    batch = max(1, min(int(median(sizes)) if sizes else half, half // STEPS))
    plan = Plan(
        STRATEGIES, batch_sizes=(batch,), seeds=seeds, labels=half - half % batch, pool_fraction=1.0
    )
    data = join(
        workbench.session.settings().name,
        workbench.session.engine(),
        workbench.posteriors.newest(),
        workbench.classes.current(),
        truth,
    )
    points = simulate(data, plan, open_store, processes=processes, progress=progress)
    own = own_curve(workbench.measurements.all(), half)
    replayed = averaged(points)
    with workbench.session.store.read() as reader:
        recorded = reader.labels.count()
    found = Counterfactual(
        points=replayed,
        own=own,
        reached=reached(replayed, own),
        seeds=seeds,
        batch_size=batch,
        labels=len(truth.pool),
        audit_images=len(truth.test),
        recorded=recorded,
        computed_at=workbench.session.now(),
    )
    save_counterfactual(workbench.session.folder, found)
    return found


def own_curve(metrics: Sequence[MetricRecord], half: int) -> tuple[tuple[int, float], ...]:
    """(labels, accuracy) of the project's own learners with at most `half` labels."""
    newest: Mapping[int, float] = {
        m.labels: float(m.values["accuracy"]) for m in metrics if m.labels <= half
    }
    return tuple(sorted(newest.items()))


def averaged(points: Sequence[SimulationPoint]) -> tuple[CounterfactualPoint, ...]:
    """Mean accuracy over seeds with its 95 % interval, by strategy and labels."""
    found: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for point in points:
        found[point.arm.strategy, point.labels].append(point.accuracy)
    return tuple(
        _point(strategy, labels, estimate(each)) for (strategy, labels), each in found.items()
    )


def _point(strategy: str, labels: int, found: Estimate) -> CounterfactualPoint:
    low, high = (found.low, found.high) if found.seeds > 1 else (found.mean, found.mean)
    return CounterfactualPoint(strategy, labels, found.mean, low, high)


def reached(
    points: Sequence[CounterfactualPoint], own: Sequence[tuple[int, float]]
) -> tuple[Reached, ...]:
    """Labels that each strategy needs for the best accuracy that the project had with half its labels."""
    if not own:
        return ()
    best = max(accuracy for _, accuracy in own)
    first = min(labels for labels, accuracy in own if accuracy == best)
    names = dict.fromkeys(point.strategy for point in points)
    return tuple(
        Reached(
            name,
            best,
            first,
            min(
                (p.labels for p in points if p.strategy == name and p.accuracy >= best),
                default=None,
            ),
        )
        for name in names
    )
