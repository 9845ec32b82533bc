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
from alworkbench.project.counterfactual_file import Counterfactual, newest_counterfactual
from alworkbench.project.stability import Watch
from alworkbench.project.stopping import History, history_of


@dataclass(frozen=True, slots=True)
class AuditPopulation:
    """What the audit set stands for."""

    images: int
    """With an answer."""
    drawn: int
    """Of the audit set, those drawn in the labelling flow; the others were imported with that role."""
    labelled_before: int
    """Images of the pool that had an answer when the first were drawn: not stood for."""
    candidates: int
    """Images that the first were drawn from."""


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """Every estimate of a project's accuracy that its records hold."""

    audit: tuple[MetricRecord, ...]
    """By round; Wilson's interval of the accuracy and bootstrap intervals (`intervals`) in its values."""
    population: AuditPopulation
    drawn: tuple[RoundEstimate, ...]
    """LURE estimates of rounds whose strategy logged its probabilities."""
    pooled: Estimate | None
    """Over those rounds, for the learners that asked."""
    counterfactual: Counterfactual | None
    """The newest replay among the collected labels, and whether labels came since."""
    leave_one_out: Mapping[str, Any] | None = None
    """Of the newest learner, on its own labels, which were chosen: it says nothing of the pool."""


def accuracy_report(reader: Reader, folder: ProjectFolder) -> AccuracyReport:
    """Collect the report from the records. Raises InvalidResult for a damaged counterfactual file."""
    rounds = reader.rounds.all()
    newest = reader.computed.learner()
    estimates = [
        found
        for each in rounds
        if (found := lure.of_round(each, reader.rounds.items(each.id))) is not None
    ]
    return AccuracyReport(
        tuple(reader.computed.metrics()),
        _population(reader),
        tuple(estimates),
        lure.pooled(estimates),
        newest_counterfactual(folder, reader.labels.count()),
        newest.settings.get("leave_one_out") if newest else None,
    )


def _population(reader: Reader) -> AuditPopulation:
    draws = [each for each in reader.rounds.all() if each.strategy == AUDIT_STRATEGY]
    first = draws[0].settings if draws else {}
    return AuditPopulation(
        len(reader.labels.current(Role.AUDIT)),
        sum(each.batch_size - int(each.settings["leftover"]) for each in draws),
        int(first.get("labelled_before", 0)),
        int(first.get("candidates", 0)),
    )


def history(reader: Reader, target: float | None) -> History:
    """What stopping rules read. Learners of an earlier class list answer other questions: left out."""
    classes = reader.classes.current().id
    rounds = [each for each in reader.rounds.all() if each.class_list_id == classes]
    learners = [each for each in reader.computed.learners() if each.class_list_id == classes]
    newest = {each.round_id: each for each in learners}  # of each round, the last one
    watched = [r.settings.get("watch") for r in rounds if r.learner_id is None]
    watched = watched[:1] + [each.settings.get("watch") for each in newest.values()]
    left = reader.images.count(Role.POOL) - len(reader.labels.current(Role.POOL))
    kept = {each.id for each in newest.values()}
    metrics = [m for m in reader.computed.metrics() if m.learner_id is None or m.learner_id in kept]
    return history_of([Watch.from_json(w) for w in watched if w], metrics, target, left)
