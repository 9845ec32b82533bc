"""The findings of a simulation: each arm compared with its baseline, and the verdict in words.

One test decides the verdict: does the mean of the metric over the whole curve differ from that of the
baseline? It is a sign-flip test of the differences by seed with Holm's correction for the number of arms.
Levels at single label counts are tested too, each count with a correction of its own; they do not decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alworkbench.core.domain import BASELINE_STRATEGY, Arm, SimulationPoint
from alworkbench.evaluation.curves import BUDGETS, LOWER_IS_BETTER, budgets_of, names, runs
from alworkbench.evaluation.intervals import Estimate, estimate
from alworkbench.evaluation.label_savings import Reach, Saving, Target, reach, saving
from alworkbench.evaluation.paired_tests import LEVEL, holm, sign_flip_p, smallest_p
from alworkbench.report.baseline_savings import Against, savings_against
from alworkbench.report.levels import levels_of
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    labels_words,
    level_words,
    listed,
    p_words,
    saving_words,
)

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult


@dataclass(frozen=True, slots=True)
class Test:
    """A paired difference, arm minus baseline, with its p-value."""

    difference: Estimate
    p: float
    """Two-sided p, uncorrected."""
    corrected: float
    """p with Holm's correction for the number of arms."""

    @property
    def shown(self) -> bool:
        """Whether the corrected p value is below the level."""
        return self.corrected < LEVEL


@dataclass(frozen=True, slots=True)
class Finding:
    """One arm compared with its baseline."""

    arm: Arm
    name: str
    baseline: Arm
    area: Test
    at: dict[int, Test]
    """By labels paid for."""
    reaches: tuple[Reach, ...]
    """One for each target."""
    savings: tuple[Saving, ...]
    outcome: str
    """better, worse, none (no significant difference) or untestable (too few seeds)."""
    words: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of a simulation for one metric."""

    metric: str
    seeds: int
    names: dict[Arm, str]
    baseline: Arm
    """The arm that defines the targets."""
    reaches: dict[Arm, tuple[Reach, ...]]
    """Of every arm, one for each target."""
    targets: tuple[Target, ...]
    chief: int
    """Index of the target of the verdict."""
    of: tuple[Finding, ...]
    """The arm with the best mean over the curve first."""
    against: tuple[Against, ...]
    """Savings against the baseline with the same learner, then against each baseline of labels alone."""
    no_savings: str
    """Why no labels can be saved for the target of the verdict, in sentences; empty where they can."""
    headline: str
    """The verdict in one or two sentences."""


def chief_metric(goal: str) -> str:
    """The metric that a goal is judged by."""
    return "balanced_accuracy" if goal == "balanced" else "accuracy"


def findings_of(
    points: Sequence[SimulationPoint],
    metric: str = "accuracy",
    baseline: str = BASELINE_STRATEGY,
    target: float | None = None,
    budgets: Sequence[int] = BUDGETS,
    methods: Sequence[str] = (),
    compared: Sequence[Arm] | None = None,
) -> Findings:
    """Compare every arm with its baseline: the arm of that strategy with the same adaptation and
    batch size, else the first of that strategy, else the first arm.

    `target` replaces what the baseline reaches at shares of its budget. `methods` are the learning
    methods of the simulation's baselines. `compared` are the arms without those that were run for the
    baselines only; None stands for all arms.
    """
    every = {each.arm: each for each in runs(points, metric)}
    called = names(list(every))
    chief_arm = _baseline_of(next(iter(every)), list(every), baseline)
    base = every[chief_arm]
    levels = levels_of(base, metric, called[chief_arm], target)
    targets, chief = levels.targets, levels.chief
    pairs = [
        (every[arm], every[own])
        for arm in (every if compared is None else compared)
        if (own := _baseline_of(arm, list(every), baseline)) != arm
    ]
    shown = budgets_of(list(every.values()), budgets)[1:]
    areas = tests_of([one.areas() - own.areas() for one, own in pairs])
    ats = {at: tests_of([one.at(at) - own.at(at) for one, own in pairs]) for at in shown}
    every_reach = {arm: tuple(reach(each, t) for t in targets) for arm, each in every.items()}
    found = []
    for i, (run, other) in enumerate(pairs):
        reaches = every_reach[run.arm]
        savings = tuple(saving(run, other, each) for each in targets)
        outcome = outcome_of(areas[i], len(pairs), metric)
        words = _words(
            called[run.arm],
            called[other.arm],
            outcome,
            areas[i],
            reaches[chief],
            every_reach[other.arm][chief],
            None if levels.no_savings else savings[chief],
            metric,
        )
        found.append(
            Finding(
                run.arm,
                called[run.arm],
                other.arm,
                areas[i],
                {at: ats[at][i] for at in shown},
                reaches,
                savings,
                outcome,
                words,
            )
        )
    # Other learners of the only strategy are no strategies to compare it with.
    told = called[chief_arm] if found else chief_arm.strategy
    sign = 1 if metric in LOWER_IS_BETTER else -1
    found.sort(key=lambda each: sign * float(every[each.arm].areas().mean()))
    return Findings(
        metric,
        len(base.seeds),
        called,
        chief_arm,
        every_reach,
        targets,
        chief,
        tuple(found),
        () if levels.no_savings else savings_against(pairs, every, methods, targets),
        levels.no_savings,
        _headline(found, told, len(base.seeds), metric),
    )


def findings_in(
    result: SimulationResult,
    metric: str | None = None,
    baseline: str = BASELINE_STRATEGY,
    target: float | None = None,
) -> Findings:
    """The findings of a stored result; without `metric`, for that of its goal."""
    chosen = metric or chief_metric(str(result.plan.get("goal", "accuracy")))
    return findings_of(
        result.points, chosen, baseline, target, methods=result.baselines, compared=result.compared
    )


def seeds_needed(comparisons: int) -> int:
    """The smallest number of seeds with which a difference can be significant."""
    return next(n for n in range(1, 64) if comparisons * smallest_p(n) < LEVEL)


def _baseline_of(arm: Arm, arms: Sequence[Arm], strategy: str) -> Arm:
    alike = [each for each in arms if each.strategy == strategy]
    near = [
        each
        for each in alike
        if (each.adaptation, each.batch_size) == (arm.adaptation, arm.batch_size)
    ]
    return (near or alike or list(arms))[0]


def tests_of(differences: Sequence[np.ndarray]) -> list[Test]:
    """Sign-flip tests of paired differences, corrected by Holm's method."""
    if not differences:
        return []
    p = sign_flip_p(np.stack(differences))
    corrected = holm(p)
    return [
        Test(estimate(each), float(raw), float(adjusted))
        for each, raw, adjusted in zip(differences, p, corrected, strict=True)
    ]


def outcome_of(test: Test, comparisons: int, metric: str) -> str:
    """better, worse, none or untestable."""
    if comparisons * smallest_p(test.difference.seeds) >= LEVEL:
        return "untestable"
    if not test.shown:
        return "none"
    rises = test.difference.mean > 0
    return "better" if rises != (metric in LOWER_IS_BETTER) else "worse"


def _words(
    name: str,
    base: str,
    outcome: str,
    area: Test,
    own: Reach,
    other: Reach,
    saved: Saving | None,
    metric: str,
) -> str:
    """`saved` is None where the level of the verdict needs no labels; then it is not told."""
    seeds = area.difference.seeds
    needs = (
        f"needs {labels_words(own)} where {base} needs {labels_words(other)} for "
        f"{level_words(own.target)}"
    )
    by = f"{difference_words(area.difference, metric)} on average over the curve"
    if outcome == "untestable":
        counted = "one seed" if seeds == 1 else f"{seeds} seeds"
        told = f"With {counted}, {name} cannot be told from {base}."
        return told if saved is None else f"{told} It {needs}."
    if outcome == "none":
        return (
            f"No difference between {name} and {base} can be seen with {seeds} seeds "
            f"({by}, p {p_words(area.corrected)})."
        )
    told = "" if saved is None else f": it {needs}{saving_words(saved)}"
    return (
        f"{name} is {outcome} than {base} here{told}. Its "
        f"{METRIC_WORDS[metric]} differs by {by} (p {p_words(area.corrected)})."
    )


def _headline(found: Sequence[Finding], base: str, seeds: int, metric: str) -> str:
    if not found:
        return f"Only {base} was run: there is nothing to compare it with."
    better = [each for each in found if each.outcome == "better"]
    worse = [each.name for each in found if each.outcome == "worse"]
    if all(each.outcome == "untestable" for each in found):
        counted = "One seed" if seeds == 1 else f"{seeds} seeds"
        return (
            f"{counted} cannot show whether any strategy is better than {base}. "
            f"Run at least {seeds_needed(len(found))} seeds."
        )
    parts = []
    if better:
        parts.append(better[0].words)
        if len(better) > 1:
            also = listed([each.name for each in better[1:]])
            are = "is" if len(better) == 2 else "are"
            parts.append(
                f"Also better than {base} {are} {also}; they were not tested against each other."
            )
    else:
        same = [each.name for each in found if each.outcome == "none"]
        if same:
            parts.append(
                f"No strategy can be said to be better than {base} in {METRIC_WORDS[metric]} "
                f"with {seeds} seeds."
            )
    if worse:
        are = "is" if len(worse) == 1 else "are"
        parts.append(f"Worse than {base} {are} {listed(worse)}.")
    return " ".join(parts)
