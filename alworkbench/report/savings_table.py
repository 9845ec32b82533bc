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
    from alworkbench.report.baseline_savings import Against
    from alworkbench.report.findings import Findings

IS_BASELINE = "is the baseline"
IS_OTHER_BASELINE = "is a baseline"
NOT_COMPARED = "not compared"
SIGNS = (
    "+20 % means 20 % fewer labels than the baseline, -20 % means 20 % more. Brackets hold 95 % intervals. "
    "A saving is not certain if its interval holds 0."
)


def savings_title(findings: Findings) -> str:
    """The metric and the level that the savings are for."""
    chief = findings.targets[findings.chief]
    return f"Labels needed and saved for {level_words(chief)} ({chief.words})"


def savings_note(findings: Findings) -> str:
    """What the columns of the savings mean, in sentences; why there are none where there are none."""
    if not findings.against:
        return findings.no_savings
    told = [f"Against {each.words}, choosing saves." for each in findings.against if each.alike]
    if not all(each.alike for each in findings.against):
        told.append(
            "Against another learner, such as a baseline of labels alone, choosing and learning save "
            "together."
        )
    return " ".join([*told, SIGNS])


def savings_header(findings: Findings) -> list[str]:
    """The arm, its labels, and what it saves against each kind of baseline."""
    return ["strategy", "labels", *(f"saved against {each.words}" for each in findings.against)]


def savings_arms(findings: Findings) -> list[Arm]:
    """Arms that save against some baseline, those of the verdict first; then the baselines."""
    saving = [arm for each in findings.against for arm in each.savings]
    ranked = [each.arm for each in findings.of if each.arm in saving]
    return list(dict.fromkeys([*ranked, *saving, *findings.reaches]))


def savings_of(findings: Findings, arm: Arm) -> list[str]:
    """What an arm saves for the level of the verdict, against each kind of baseline, in words."""
    return [_saved_against(findings, each, arm) for each in findings.against]


def _saved_against(findings: Findings, kind: Against, arm: Arm) -> str:
    if arm in kind.savings:
        return saved_words(kind.savings[arm][findings.chief])
    if arm in kind.baselines:
        return IS_BASELINE
    return IS_OTHER_BASELINE if any(arm in k.baselines for k in findings.against) else NOT_COMPARED


def savings_lines(findings: Findings) -> list[list[str]]:
    """Header and cells, as text."""
    return [
        savings_header(findings),
        *(
            [
                findings.names[arm],
                labels_words(findings.reaches[arm][findings.chief]),
                *savings_of(findings, arm),
            ]
            for arm in savings_arms(findings)
        ),
    ]


def savings_json(findings: Findings) -> dict[str, Any]:
    """The level, what each arm saves for it by baseline, and what that means or why there is nothing."""
    return {
        "target": asdict(findings.targets[findings.chief]),
        "labels": {
            findings.names[arm]: reaches[findings.chief].typical
            for arm, reaches in findings.reaches.items()
        },
        "note": savings_note(findings),
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
