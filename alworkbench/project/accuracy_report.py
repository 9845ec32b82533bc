"""The accuracy report of a running project: every estimate of its accuracy, each under its own name.

It reads records and the file of the newest counterfactual, and computes nothing over the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alworkbench.core.domain import AUDIT_STRATEGY, MetricRecord, ProjectFolder, Role
from alworkbench.core.ports import Reader
from alworkbench.evaluation import lure
from alworkbench.evaluation.lure import Estimate, RoundEstimate
from alworkbench.project.class_versions import same_versions
from alworkbench.project.counterfactual_file import Counterfactual, newest_counterfactual
from alworkbench.project.round_history import RoundReports
from alworkbench.project.stability import Snapshot
from alworkbench.project.stopping import History, history_of


@dataclass(frozen=True, slots=True)
class AuditPopulation:
    """Which images the audit set represents."""

    images: int
    """Audit images with an answer."""
    drawn: int
    """Audit images that were drawn from the pool; the others were imported or chosen with that role."""
    labelled_before: int
    """Images of the pool with an answer before the first draw: the audit set does not represent them."""
    candidates: int
    """Images that the first draw chose from."""


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """Every estimate of a project's accuracy that its records hold."""

    audit: tuple[MetricRecord, ...]
    """Measurements on the audit set, by round, then by time, with their 95 % intervals."""
    population: AuditPopulation
    drawn: tuple[RoundEstimate, ...]
    """LURE estimates of rounds whose strategy logged its probabilities."""
    pooled: Estimate | None
    """Average over those rounds, each for the learner that proposed it."""
    counterfactual: Counterfactual | None
    """The newest comparison with simpler strategies on the collected labels."""
    leave_one_out: Mapping[str, Any] | None = None
    """Accuracy of the newest learner on its own labels, each left out. These labels were not drawn at
    random, so it says nothing about the pool."""


def accuracy_report(
    reader: Reader, folder: ProjectFolder, rounds: RoundReports, *, replayed: bool = True
) -> AccuracyReport:
    """Collect the report from the records.

    Raises InvalidResult for a damaged counterfactual file, unless it is left out (`replayed`).
    """
    newest = reader.computed.learner()
    estimates = rounds.estimates(reader)
    return AccuracyReport(
        tuple(reader.computed.metrics()),
        _population(reader),
        tuple(estimates),
        lure.pooled(estimates),
        newest_counterfactual(folder, reader.labels.count()) if replayed else None,
        newest.settings.get("leave_one_out") if newest else None,
    )


def _population(reader: Reader) -> AuditPopulation:
    draws = [each for each in reader.rounds.all() if each.strategy == AUDIT_STRATEGY]
    first = draws[0].settings if draws else {}
    drawn = {
        item.image_id
        for each in draws
        for item in reader.rounds.items(each.id)
        if item.probability is not None
    }
    return AuditPopulation(
        len(reader.labels.current(Role.AUDIT)),
        len(drawn & {image for image, _ in reader.images.ids_and_hashes(Role.AUDIT)}),
        int(first.get("labelled_before", 0)),
        int(first.get("candidates", 0)),
    )


def history(reader: Reader, target: float | None) -> History:
    """The records that stopping rules read. Learners of an earlier class list are left out."""
    same = same_versions(reader, reader.classes.current())
    rounds = [each for each in reader.rounds.all() if each.class_list_id in same]
    learners = [each for each in reader.computed.learners() if each.class_list_id in same]
    newest = {each.round_id: each for each in learners}  # of each round, the last one
    watched = [r.settings.get("watch") for r in rounds if r.learner_id is None]
    watched = watched[:1] + [each.settings.get("watch") for each in newest.values()]
    left = reader.images.count(Role.POOL) - len(reader.labels.current(Role.POOL))
    kept = {each.id for each in newest.values()}
    metrics = [m for m in reader.computed.metrics() if m.learner_id is None or m.learner_id in kept]
    return history_of([Snapshot.from_json(w) for w in watched if w], metrics, target, left)
