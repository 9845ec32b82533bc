"""Tables of the page: levels at label counts, labels for a level, every measure at the end."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import METRICS, budgets_of, runs
from alworkbench.evaluation.intervals import estimates
from alworkbench.report.findings import Findings
from alworkbench.report.html import Cell, Html, figure, labels_cell, small_below, table, tag
from alworkbench.report.pictures import Drawing, inks, variable_of
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


def swatched(result: SimulationResult, arm: Arm, name: str) -> Html:
    """A strategy's name with its colour."""
    variable = variable_of(inks(result)[arm])
    return Html(
        f'<span class="swatch" style="color: var({variable})" aria-hidden="true"></span>'
        f"{escape(name)}"
    )


def budget_table(result: SimulationResult, findings: Findings) -> str:
    """Means with intervals at the budgets, with p where there is something to compare."""
    every = {each.arm: each for each in runs(result.points, findings.metric)}
    shown = budgets_of(list(every.values()))
    found = {each.arm: each for each in findings.of}
    order = [each.arm for each in findings.of]
    order += [arm for arm in every if arm not in found]
    rows: list[list[Cell]] = []
    for arm in order:
        name = swatched(result, arm, findings.names[arm]).text
        under = tag(found[arm].outcome).text if arm in found else "<small>baseline</small>"
        cells: list[Cell] = [Html(f"{name}<br>{under}")]
        for budget in shown:
            (level,) = estimates(every[arm].at(budget)[:, None])
            text = value_words(level.mean, findings.metric)
            test = found[arm].at.get(budget) if arm in found else None
            small = [interval_words(level, findings.metric)] if level.seeds > 1 else []
            if test is not None and test.difference.seeds > 1:
                small.append(f"p {p_words(test.corrected)}")
            strong = f"<b>{text}</b>" if test is not None and test.shown else text
            cells.append(small_below(strong, *small))
        if arm in found:
            area = found[arm].area
            mean, _, ends = difference_words(area.difference, findings.metric).partition(" [")
            small = [f"[{ends}", f"p {p_words(area.corrected)}"] if ends else []
            cells.append(small_below(f"<b>{mean}</b>" if area.shown else mean, *small))
        else:
            cells.append("")
        rows.append(cells)
    header = ["strategy", *(f"{b} labels" for b in shown), "over the curve"]
    caption = (
        f"{METRIC_WORDS[findings.metric].capitalize()} by labels paid for, with 95 % intervals and p "
        f"against the baseline (Holm-corrected in each column; bold: below 0.05). Over the curve: "
        f"mean difference from the baseline, which is what the verdict rests on."
    )
    return table(header, rows, caption)


def reach_part(result: SimulationResult, findings: Findings, by_name: dict[str, Drawing]) -> str:
    """The part of the page on labels needed for a target."""
    chief = findings.targets[findings.chief]
    parts = []
    if findings.of:
        caption = (
            f"Labels of {findings.names[findings.baseline]} divided by labels of the strategy, for "
            f"{level_words(chief)} ({chief.words}). Right of 1 saves labels. Lines are 95 % "
            f"intervals; ≥ where too few runs of the baseline got there, so that only a bound is known."
        )
        parts.append(figure(by_name["savings"], caption))
    rows: list[list[Cell]] = []
    base = findings.baseline
    rows.append(
        [
            swatched(result, base, findings.names[base]),
            *(labels_cell(labels_words(each)) for each in findings.baseline_reaches),
        ]
    )
    for each in findings.of:
        cells: list[Cell] = [swatched(result, each.arm, each.name)]
        for reached, saved in zip(each.reaches, each.savings, strict=True):
            factor = f"factor {factor_words(saved)}"
            cells.append(labels_cell(labels_words(reached), factor))
        rows.append(cells)
    header = ["strategy", *(level_words(t) for t in findings.targets)]
    caption = (
        "Labels needed for a level, geometric mean over seeds with its 95 % interval. Levels are what "
        f"{findings.names[base]} reaches on average at a quarter, half, three quarters and all of its "
        "budget."
        if len(findings.targets) > 1
        else "Labels needed for a level, geometric mean over seeds with its 95 % interval."
    )
    parts.append(table(header, rows, caption, numbers_from=len(header)))
    parts.append("<h3>In words</h3><ul>")
    parts += [f"<li>{escape(each.words)}</li>" for each in findings.of]
    parts.append("</ul>")
    return "".join(parts)


def measures_table(result: SimulationResult) -> str:
    """Every measure after the last label."""
    metrics = [metric for metric in METRICS if metric != "ece_floor"]
    floors = {each.arm: each for each in runs(result.points, "ece_floor")}
    every = {metric: {each.arm: each for each in runs(result.points, metric)} for metric in metrics}
    rows: list[list[Cell]] = []
    last = min(each.paid[-1] for each in every["accuracy"].values())
    for arm in inks(result):
        cells: list[Cell] = [swatched(result, arm, arm.words(result.arms))]
        for metric in metrics:
            (level,) = estimates(every[metric][arm].at(last)[:, None])
            small = [f"[{level.low:.3f}, {level.high:.3f}]"] if level.seeds > 1 else []
            if metric == "ece":
                small.append(f"floor {floors[arm].at(last).mean():.3f}")
            cells.append(small_below(f"{level.mean:.3f}", *small))
        rows.append(cells)
    header = ["strategy", "accuracy", "balanced", "macro F1", "NLPD", "Brier", "ECE"]
    caption = f"Every measure with {last:g} labels, mean and 95 % interval over seeds"
    return table(header, rows, caption)
