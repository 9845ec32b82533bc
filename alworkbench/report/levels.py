"""The levels of a report: what the baseline reaches at shares of its budget.

A level that the baseline has before its first label needs no labels, so no strategy can save any for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.evaluation.curves import LOWER_IS_BETTER, Runs
from alworkbench.evaluation.label_savings import Target, targets_at
from alworkbench.report.wording import METRIC_WORDS, level_words

TARGET_SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the baseline's budget. What the baseline reaches there are the targets."""
CHIEF_SHARE = 0.5
"""The target of the verdict. At the whole budget, half of the baseline's own runs would miss it."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Targets, with that of the verdict."""

    targets: tuple[Target, ...]
    chief: int
    """Index of the target of the verdict."""
    no_savings: str
    """Why no labels can be saved for the target of the verdict, in sentences; empty where they can."""


def levels_of(base: Runs, metric: str, called: str, given: float | None = None) -> Levels:
    """The levels that need labels, of the baseline `base`; `given` replaces all of them.

    If the level of the verdict needs no labels, it is the only target, and `no_savings` says so.
    """
    if given is None:
        chief = targets_at(base, metric, (CHIEF_SHARE,), called)[0]
        every = targets_at(base, metric, TARGET_SHARES, called)
    else:
        chief = Target(metric, given, f"{METRIC_WORDS[metric]} {given:g}")
        every = [chief]
    if not needs_labels(base, chief):
        return Levels((chief,), 0, _why(chief, called))
    targets = [each for each in every if needs_labels(base, each)]
    return Levels(tuple(targets), targets.index(chief), "")


def needs_labels(base: Runs, target: Target) -> bool:
    """Whether the level is better than what the runs have on average before their first label."""
    start = float(base.values[:, 0].mean())
    return target.value < start if target.metric in LOWER_IS_BETTER else target.value > start


def _why(level: Target, called: str) -> str:
    return (
        f"No labels can be saved for {level_words(level)} ({level.words}): {called} is there before the "
        f"first label. Simulate more labels (--labels) or smaller batches (--batch), or give a better "
        f"level to the report (--target)."
    )
