"""What was saved on one project: its own simulations, and the replay among its collected labels.

A simulation asks anew among all labelled images, a strategy at a time. The replay says how simpler strategies
would have ordered the labels that the project collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from alworkbench.core.kept_values import KeptValues
from alworkbench.report.findings import findings_in
from alworkbench.report.savings_table import savings_lines, savings_note, savings_title
from alworkbench.report.wording import value_words

if TYPE_CHECKING:
    from alworkbench.project.counterfactual_file import Counterfactual
    from alworkbench.simulation.results import SimulationResult


@dataclass(frozen=True, slots=True)
class ProjectSavings:
    """Labels needed and saved on this project, by one of the ways to find out."""

    source: str
    """`simulation` or `replay`."""
    title: str
    """The metric and the level that the savings are for."""
    headline: str
    """The verdict in a sentence or two."""
    lines: Sequence[Sequence[str]]
    """Header and cells; empty where nothing can be said, and `note` says why."""
    note: str
    """What the columns mean, and what may be concluded."""
    made_at: datetime
    key: str | None = None
    """Of the simulation."""
    stale: bool = False
    """Whether labels came since."""


def project_savings(
    kept: Sequence[SimulationResult], replayed: Counterfactual | None
) -> list[ProjectSavings]:
    """The newest simulation on this project's own labels, and the replay among them, where there are such.

    `kept` are the finished simulations of the project, newest first; `replayed` is the replay of its accuracy
    report. What a simulation saved is computed once.
    """
    own = next((each for each in kept if of_own_labels(each)), None)
    found = []
    if own is not None:
        mark = (own.folder, own.key, own.created_at)
        found.append(_SAVINGS.of(mark, lambda: _simulated(own)))
    return found if replayed is None else [*found, _replayed(replayed)]


_SAVINGS: KeptValues[ProjectSavings] = KeptValues(most=8)


def of_own_labels(result: SimulationResult) -> bool:
    """Whether it ran on the labels that people gave in a project."""
    source = result.facts.get("source")
    return isinstance(source, dict) and source.get("kind") == "project" and not source.get("truth")


def _simulated(result: SimulationResult) -> ProjectSavings:
    findings = findings_in(result)
    return ProjectSavings(
        "simulation",
        savings_title(findings),
        findings.headline,
        savings_lines(findings) if findings.against else [],
        savings_note(findings),
        result.created_at,
        result.key,
    )


def _replayed(found: Counterfactual) -> ProjectSavings:
    header = ["strategy", "labels it needs", "labels that the project needed"]
    rows = [
        [
            each.strategy,
            f"not within {found.labels // 2:,}" if each.labels is None else f"{each.labels:,}",
            f"{each.own:,}",
        ]
        for each in found.reached
    ]
    level = value_words(found.reached[0].accuracy, "accuracy") if found.reached else ""
    return ProjectSavings(
        "replay",
        f"Labels needed for accuracy {level}" if level else "Labels needed",
        "" if rows else "The project was not measured within half of its labels.",
        [header, *rows] if rows else [],
        found.validity,
        found.computed_at,
        stale=found.stale,
    )
