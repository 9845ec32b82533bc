"""Results of simulations for screens: learning curves with intervals, and the tables of their verdict.

The numbers and words are those of the report and of the commands `report` and `compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alworkbench.core.domain import BASELINE_STRATEGY
from alworkbench.evaluation.curves import NO_SHARES, curves, names
from alworkbench.report.chart_table import ChartTable
from alworkbench.report.comparing import LETTERS
from alworkbench.report.line_chart import Line, LineChart, LinePoint
from alworkbench.report.savings_table import savings_lines
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    factor_words,
    labels_words,
    p_words,
)

if TYPE_CHECKING:
    from alworkbench.evaluation.intervals import Estimate
    from alworkbench.report.findings import Findings
    from alworkbench.simulation.results import SimulationResult

OUTCOMES = {
    "better": "better",
    "worse": "worse",
    "none": "no difference can be seen",
    "untestable": "too few seeds",
}
"""What a paired test says, in words."""


def learning_curves(results: Sequence[SimulationResult], metric: str) -> LineChart:
    """A metric by labels paid for, a line for each arm; of several results, each with its letter."""
    lines, seeds = [], 0
    for letter, result in zip(LETTERS, results, strict=False):
        called = names(result.arms)
        for curve in curves(result.points, metric):
            name = called[curve.arm]
            points = tuple(map(_point, curve.paid, curve.estimates))
            lines.append(Line(f"{letter}: {name}" if len(results) > 1 else name, points))
            seeds = max(seeds, curve.estimates[0].seeds)
    words = METRIC_WORDS[metric]
    marked = " (transductive)" if any(each.transductive for each in results) else ""
    keys = "-".join(each.key for each in results)
    last = "; ".join(f"{line.name} {line.points[-1].y:.3f}" for line in lines)
    return LineChart(
        name=f"simulation-{metric.replace('_', '-')}-{keys}",
        title=f"{words[:1].upper()}{words[1:]} by labels paid for{marked}",
        alt=f"Mean {words} over seeds by labels paid for. With the last label: {last}.",
        x="Labels paid for",
        y=f"{words[:1].upper()}{words[1:]}",
        lines=lines,
        band="95 % t-interval of the mean over seeds" if seeds > 1 else "",
        share=metric not in NO_SHARES,
        who="Strategy",
    )


def _point(paid: float, found: Estimate) -> LinePoint:
    labels = int(paid) if float(paid).is_integer() else paid
    if found.seeds < 2:
        return LinePoint(labels, found.mean)
    return LinePoint(labels, found.mean, found.low, found.high)


def text_table(lines: Sequence[Sequence[str]]) -> ChartTable:
    """Header and cells, as the commands print them, with a capital letter at the head of each column."""
    header, *rows = lines
    return ChartTable(
        {name[:1].upper() + name[1:]: [row[k] for row in rows] for k, name in enumerate(header)}
    )


def savings_chart_table(findings: Findings) -> ChartTable:
    """Labels that each arm needs for the level of the verdict, and what it saves against each baseline."""
    return text_table(savings_lines(findings))


def tests_table(findings: Findings) -> ChartTable:
    """Each arm against its baseline: the paired test over seeds that decides the verdict."""
    found = findings.of
    return ChartTable(
        {
            "Strategy": [each.name for each in found],
            "Compared with": [findings.names[each.baseline] for each in found],
            "Over the curve [95 %]": [
                difference_words(each.area.difference, findings.metric) for each in found
            ],
            "p (Holm)": [p_words(each.area.corrected) for each in found],
            "Labels needed [95 %]": [labels_words(each.reaches[findings.chief]) for each in found],
            "Saving factor [95 %]": [factor_words(each.savings[findings.chief]) for each in found],
            "Verdict": [OUTCOMES[each.outcome] for each in found],
        }
    )


def baselines_of(result: SimulationResult) -> list[str]:
    """Strategies that the others can be compared with, random sampling first."""
    strategies = list(dict.fromkeys(arm.strategy for arm in result.arms))
    return sorted(strategies, key=lambda name: name != BASELINE_STRATEGY)
