"""Laws of the replay among the collected labels: refused where it says nothing, kept with its validity."""

import pytest

from alworkbench.core.errors import InvalidResult, TooFewLabels
from alworkbench.simulation import counterfactual as module
from alworkbench.simulation.counterfactual import (
    STRATEGIES,
    CounterfactualPoint,
    counterfactual,
    reached,
)
from store import memory_store


def label(workbench, answers, count):
    workbench.rounds.propose("random", count)
    answers(workbench, count)
    workbench.rounds.close()


def test_too_few_labels_and_no_audit_set_are_refused(workbench, answers):
    with pytest.raises(TooFewLabels, match="audit"):  # 24 images were imported for it
        counterfactual(workbench, memory_store)
    assert workbench.audit.report().counterfactual is None


def test_it_replays_up_to_half_of_the_labels_and_is_kept(workbench, answers, monkeypatch):
    monkeypatch.setattr(module, "LEAST_AUDIT", 20)
    monkeypatch.setattr(module, "LEAST_LABELS", 20)
    label(workbench, answers, 8)
    with pytest.raises(TooFewLabels, match="of the pool"):
        counterfactual(workbench, memory_store)
    label(workbench, answers, 8)
    label(workbench, answers, 8)
    found = counterfactual(workbench, memory_store, seeds=1)
    assert found.labels == 24
    assert {p.strategy for p in found.points} == set(STRATEGIES)
    assert max(p.labels for p in found.points) <= 12
    assert max(labels for labels, _ in found.own) <= 12
    kept = workbench.audit.report().counterfactual
    assert kept == found
    assert not kept.stale
    label(workbench, answers, 2)
    assert workbench.audit.report().counterfactual.stale
    (workbench.session.folder.path / "counterfactual.json").write_text('{"format": 1}')
    with pytest.raises(InvalidResult):
        workbench.audit.report()


def test_what_was_reached_is_compared_at_the_projects_own_best():
    own = ((0, 0.5), (10, 0.7), (20, 0.7))
    points = [
        CounterfactualPoint("random", n, a, a, a) for n, a in ((0, 0.5), (10, 0.6), (20, 0.7))
    ]
    points += [CounterfactualPoint("margin", n, a, a, a) for n, a in ((0, 0.5), (20, 0.6))]
    found = reached(points, own)
    assert [(r.strategy, r.accuracy, r.own, r.labels) for r in found] == [
        ("random", 0.7, 10, 20),
        ("margin", 0.7, 10, None),
    ]
