"""The table of saved labels: each arm against random with the same learner, and with those of the baselines.

Pages, Markdown, JSON and the command line show these values.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from alworkbench.report.wording import labels_words, level_words, saved_words

if TYPE_CHECKING:
    from alworkbench.core.domain import Arm
    from alworkbench.evaluation.label_savings import Saving
    from alworkbench.report.findings import Findings

NO_BASELINE = "–"


def savings_title(findings: Findings) -> str:
    """The level that the savings are for."""
    chief = findings.targets[findings.chief]
    return f"Labels for {level_words(chief)} ({chief.words})"


def savings_header(findings: Findings) -> list[str]:
    """The arm, its labels, and what it saves against each kind of baseline."""
    return ["strategy", "labels", *(f"saved against {each.words}" for each in findings.against)]


def savings_arms(findings: Findings) -> list[Arm]:
    """Arms that save against some baseline, those of the verdict first; then the baselines."""
    saving = [arm for each in findings.against for arm in each.savings]
    ranked = [each.arm for each in findings.of if each.arm in saving]
    return list(dict.fromkeys([*ranked, *saving, *findings.reaches]))


def savings_of(findings: Findings, arm: Arm) -> list[Saving | None]:
    """What an arm saves for the level of the verdict, against each kind of baseline; None without one."""
    every = [each.savings.get(arm) for each in findings.against]
    return [None if savings is None else savings[findings.chief] for savings in every]


def savings_lines(findings: Findings) -> list[list[str]]:
    """Header and cells, as text."""
    return [
        savings_header(findings),
        *(
            [
                findings.names[arm],
                labels_words(findings.reaches[arm][findings.chief]),
                *(
                    NO_BASELINE if saved is None else saved_words(saved)
                    for saved in savings_of(findings, arm)
                ),
            ]
            for arm in savings_arms(findings)
        ),
    ]


def savings_json(findings: Findings) -> dict[str, Any]:
    """The level, and what each arm saves for it by baseline."""
    return {
        "target": asdict(findings.targets[findings.chief]),
        "labels": {
            findings.names[arm]: reaches[findings.chief].typical
            for arm, reaches in findings.reaches.items()
        },
        "saved": {
            f"against {each.words}": {
                findings.names[arm]: saving_json(savings[findings.chief])
                for arm, savings in each.savings.items()
            }
            for each in findings.against
        },
    }


def saving_json(found: Saving) -> dict[str, Any]:
    """A saving as a JSON value: its kind, the factor with its limits, the share of labels saved."""
    return {
        "kind": found.kind,
        "factor": found.factor,
        "low": found.low,
        "high": found.high,
        "share_saved": found.share_saved,
    }
