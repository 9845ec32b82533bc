"""Simulations on the curves page: strategies compared on known answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.evaluation.curves import TableRow
from alworkbench.report.line_chart import Line, LineChart, LinePoint
from alworkbench.simulation.kept import KeptSimulations
from alworkbench.simulation.results import SimulationResult
from ui.measures import CurvePoint, summarise
from ui.views.charts import show_lines
from ui.views.parts import caption, count, escape_markdown


def simulations(kept: KeptSimulations, go: Callable[[str], None]) -> None:
    """Draw the chosen simulation, at first the newest one; those that cannot be read with the reason."""
    st.header("Simulations", anchor=False)
    for name, why in kept.unreadable:
        st.warning(escape_markdown(f"{name}: {why}"))
    found = kept.finished
    if not found:
        caption(
            "No simulation was run. `alworkbench simulate` labels with known answers and compares "
            "strategies over several seeds."
        )
        return
    chosen = found[0]
    if len(found) > 1:
        names = [each.name for each in found]
        index = st.selectbox(
            "Simulation", range(len(names)), format_func=lambda i: names[i], key="simulation"
        )
        chosen = found[index]
    points = summarise(chosen.curves)
    if not points:
        caption("This simulation holds no results yet.")
        return
    show_lines(_chart(points))
    caption(_words(chosen, points))
    st.dataframe(
        _table(chosen.table()),
        hide_index=True,
        alt="Accuracy at some label budgets",
        column_config={"Strategy": st.column_config.TextColumn(width="medium")},
    )


def _chart(points: Sequence[CurvePoint]) -> LineChart:
    by_strategy: dict[str, list[LinePoint]] = {}
    for each in points:
        found = each.accuracy
        by_strategy.setdefault(each.strategy, []).append(
            LinePoint(each.labels, found.mean, found.low, found.high)
        )
    several = any(each.accuracy.seeds > 1 for each in points)
    return LineChart(
        name="simulation",
        title="Mean accuracy by labels, simulated",
        alt="Mean accuracy by labels for each strategy",
        x="Labels",
        y="Accuracy",
        lines=[Line(name, tuple(found)) for name, found in by_strategy.items()],
        band="95 % t-interval of the mean over seeds" if several else "",
        who="Strategy",
    )


def _words(simulation: SimulationResult, points: Sequence[CurvePoint]) -> str:
    band = (
        "the band is the 95 % t-interval of the mean over seeds"
        if max(p.accuracy.seeds for p in points) > 1
        else "a single seed has no interval"
    )
    return escape_markdown(f"{simulation.summary()}. Answers are the known labels; {band}.")


def _table(rows: Sequence[TableRow]) -> dict[str, list[str]]:
    budgets = sorted({labels for row in rows for labels in row.at})
    table = {"Strategy": [row.strategy for row in rows]}
    for labels in budgets:
        table[count(labels, "label")] = [
            row.at[labels].with_interval if labels in row.at else "–" for row in rows
        ]
    table["Mean over the curve"] = [row.area.with_interval for row in rows]
    return table
