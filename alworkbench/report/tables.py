"""Tables of the page: the metric at label counts, labels for a level, every measure at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import METRICS, budgets_of, runs
from alworkbench.evaluation.intervals import estimates
from alworkbench.report.findings import Findings, Test
from alworkbench.report.pictures import inks, variable_of
from alworkbench.report.rendering import Cell, Table, difference_cell, labels_cell
from alworkbench.report.savings_table import (
    savings_arms,
    savings_header,
    savings_note,
    savings_of,
    savings_title,
)
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    factor_words,
    interval_words,
    labels_words,
    level_words,
    p_words,
    value_words,
)

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult


def arm_cell(
    result: SimulationResult, arm: Arm, name: str, outcome: str = "", small: tuple[str, ...] = ()
) -> Cell:
    """The name of an arm with its colour."""
    return Cell(name, swatch=variable_of(inks(result)[arm]), outcome=outcome, small=small)


def budget_table(result: SimulationResult, findings: Findings) -> Table:
    """Means with intervals at the budgets; p where there is a baseline to compare with."""
    every = {each.arm: each for each in runs(result.points, findings.metric)}
    budgets = budgets_of(list(every.values()))
    found = {each.arm: each for each in findings.of}
    rows = []
    for arm in [*found, *(arm for arm in every if arm not in found)]:
        finding = found.get(arm)
        outcome, small = (finding.outcome, ()) if finding else ("", ("baseline",))
        cells = [arm_cell(result, arm, findings.names[arm], outcome, small)]
        for budget in budgets:
            (level,) = estimates(every[arm].at(budget)[:, None])
            test = finding.at.get(budget) if finding else None
            below = [interval_words(level, findings.metric)] if level.seeds > 1 else []
            if test is not None and test.difference.seeds > 1:
                below.append(f"p {p_words(test.corrected)}")
            text = value_words(level.mean, findings.metric)
            cells.append(Cell(text, strong=test is not None and test.shown, small=tuple(below)))
        cells.append(_area_cell(finding.area, findings.metric) if finding else Cell())
        rows.append(cells)
    return Table(
        ["strategy", *(f"{b} labels" for b in budgets), "over the curve"],
        rows,
        f"{METRIC_WORDS[findings.metric].capitalize()} by labels paid for, with 95 % intervals and p "
        f"against the baseline (Holm-corrected in each column; bold: below 0.05). Over the curve: mean "
        f"difference from the baseline. The verdict rests on this column.",
    )


def _area_cell(area: Test, metric: str) -> Cell:
    words = difference_words(area.difference, metric)
    return difference_cell(words, p_words(area.corrected), area.shown)


def savings_caption(findings: Findings) -> str:
    """What the picture of the saving factors shows."""
    chief = findings.targets[findings.chief]
    return (
        f"Labels of the baseline divided by labels of the strategy, for {level_words(chief)} "
        f"({chief.words}). Above 1 the strategy saves labels. Lines are 95 % intervals. ≥ marks a bound: "
        f"too few runs of the baseline reached the level."
    )


def savings_table(result: SimulationResult, findings: Findings) -> Table:
    """What each arm saves for the level of the verdict, with the same learner and against the baselines."""
    rows = []
    for arm in savings_arms(findings):
        cells = [
            arm_cell(result, arm, findings.names[arm]),
            labels_cell(labels_words(findings.reaches[arm][findings.chief])),
        ]
        for saved in savings_of(findings, arm):
            main, _, ends = saved.partition(" [")
            cells.append(Cell(main, small=(f"[{ends}",) if ends else ()))
        rows.append(cells)
    caption = f"{savings_title(findings)}. {savings_note(findings)}"
    header = savings_header(findings)
    return Table(header, rows, caption, numbers_from=len(header))


def reach_table(result: SimulationResult, findings: Findings) -> Table:
    """Labels that each arm needs for the levels, with its saving factors."""
    base = findings.baseline
    rows = [
        [
            arm_cell(result, arm, findings.names[arm]),
            *(labels_cell(labels_words(each)) for each in findings.reaches[arm]),
        ]
        for arm in findings.reaches
        if arm not in {each.arm for each in findings.of}
    ]
    for each in findings.of:
        factors = [f"factor {factor_words(saved)}" for saved in each.savings]
        pairs = zip(each.reaches, factors, strict=True)
        cells = [labels_cell(labels_words(reached), factor) for reached, factor in pairs]
        rows.append([arm_cell(result, each.arm, each.name), *cells])
    caption = "Labels needed for a level, geometric mean over seeds with its 95 % interval."
    if len(findings.targets) > 1:
        caption += (
            f" The levels are what {findings.names[base]} reaches on average with a quarter, half, three "
            f"quarters and all of its budget, as far as they are better than its start."
        )
    header = ["strategy", *(level_words(t) for t in findings.targets)]
    return Table(header, rows, caption, numbers_from=len(header))


def measures_table(result: SimulationResult) -> Table:
    """Every measure after the last label."""
    metrics = [metric for metric in METRICS if metric != "ece_floor"]
    floors = {each.arm: each for each in runs(result.points, "ece_floor")}
    every = {metric: {each.arm: each for each in runs(result.points, metric)} for metric in metrics}
    last = min(each.paid[-1] for each in every["accuracy"].values())
    rows = []
    for arm in inks(result):
        cells = [arm_cell(result, arm, arm.words(result.arms))]
        for metric in metrics:
            (level,) = estimates(every[metric][arm].at(last)[:, None])
            small = [f"[{level.low:.3f}, {level.high:.3f}]"] if level.seeds > 1 else []
            if metric == "ece":
                small.append(f"floor {floors[arm].at(last).mean():.3f}")
            cells.append(Cell(f"{level.mean:.3f}", small=tuple(small)))
        rows.append(cells)
    return Table(
        ["strategy", "accuracy", "balanced", "macro F1", "NLPD", "Brier", "ECE"],
        rows,
        f"Every measure with {last:g} labels, mean and 95 % interval over seeds",
    )
