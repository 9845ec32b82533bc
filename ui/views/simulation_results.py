"""Finished simulations on a page: one with its verdict, or several compared seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.errors import NotPaired, SameResult
from alworkbench.evaluation.curves import METRICS
from alworkbench.report.chart_table import ChartTable
from alworkbench.report.comparing import LETTERS, Comparison, compare
from alworkbench.report.comparison_page import comparison_page, lines_of, saved_lines
from alworkbench.report.findings import chief_metric, findings_in
from alworkbench.report.savings_table import SIGNS, savings_note, savings_title
from alworkbench.report.simulation_charts import (
    baselines_of,
    learning_curves,
    savings_chart_table,
    tests_table,
    text_table,
)
from alworkbench.report.text import INTERVALS, TRANSDUCTIVE, conditions
from alworkbench.report.wording import METRIC_WORDS
from ui.routes.simulations import report_address
from ui.state import UiState
from ui.views.charts import show_lines, show_table
from ui.views.parts import escape_markdown, with_commands
from ui.views.work import asked_by

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

SHOWN_METRICS = [name for name in METRICS if name in METRIC_WORDS]
NEWEST = 1


def results(state: UiState, kept: Sequence[SimulationResult]) -> None:
    """Draw the list of finished simulations, and the chosen ones."""
    st.header("Finished simulations", anchor=False)
    st.dataframe(
        {
            "Simulation": [each.name for each in kept],
            "Seeds": [len(each.seeds) for each in kept],
            "Labels": [max(point.paid for point in each.points) for each in kept],
            "Finished (UTC)": [f"{each.created_at:%Y-%m-%d %H:%M}" for each in kept],
            "Key": [each.key for each in kept],
        },
        hide_index=True,
        alt="Finished simulations, newest first",
    )
    by_key = {each.key: each for each in kept}
    chosen = st.multiselect(
        "Shown; choose two or more to compare them",
        list(by_key),
        default=[each.key for each in kept[:NEWEST]],
        max_selections=len(LETTERS),
        format_func=lambda key: f"{by_key[key].name} ({key[:6]})",
        key=f"simulations-shown-{kept[0].key}",  # one that has just finished is shown
    )
    if not chosen:
        st.info("Choose a simulation above to see its curves.")
        return
    shown = [by_key[key] for key in chosen]
    goal = chief_metric(str(shown[0].plan.get("goal", "accuracy")))
    metric = st.selectbox(
        "Measure",
        SHOWN_METRICS,
        index=SHOWN_METRICS.index(goal),
        format_func=lambda name: METRIC_WORDS[name],
        key=f"simulations-metric-{goal}",
    )
    if len(shown) == 1:
        _one(state, shown[0], metric)
    else:
        _several(shown, metric)


def _one(state: UiState, result: SimulationResult, metric: str) -> None:
    known = baselines_of(result)
    baseline = known[0]
    if len(known) > 1:
        baseline = st.selectbox("Compared with", known, key=f"simulations-baseline-{result.key}")
    findings = findings_in(result, metric, baseline)
    st.markdown(f"**{escape_markdown(findings.headline)}**")
    if result.transductive:
        st.warning(TRANSDUCTIVE)
    show_lines(learning_curves([result], metric))
    st.caption(escape_markdown(result.summary()))
    if findings.of:
        _table("Paired tests over seeds", tests_table(findings), f"tests-{result.key}-{metric}")
        st.caption(escape_markdown(INTERVALS))
    if findings.against:
        title, name = savings_title(findings), f"savings-{result.key}-{metric}"
        _table(title, savings_chart_table(findings), name)
    if note := savings_note(findings):
        st.caption(escape_markdown(note))
    _report(state, result)
    with st.expander("Conditions"):
        pairs = conditions(result)
        table = ChartTable(
            {"What": [what for what, _ in pairs], "Value": [value for _, value in pairs]}
        )
        show_table(table, "Conditions of the figures")


def _several(shown: Sequence[SimulationResult], metric: str) -> None:
    try:
        comparison = compare(shown, metric)
    except (NotPaired, SameResult) as refused:
        st.info(with_commands(str(refused)))
        show_lines(learning_curves(shown, metric))
        return
    st.markdown(f"**{escape_markdown(comparison.headline)}**")
    show_lines(learning_curves(shown, metric))
    keys = "-".join(each.key[:6] for each in shown)
    _table("Against A, seed by seed", text_table(lines_of(comparison)), f"changes-{keys}-{metric}")
    if saved := saved_lines(comparison):
        _table("Labels saved against baselines", text_table(saved), f"saved-{keys}-{metric}")
        st.caption(escape_markdown(SIGNS))
    st.caption(escape_markdown(INTERVALS))
    _save_comparison(comparison, f"comparison-{keys}-{metric}")


def _save_comparison(comparison: Comparison, name: str) -> None:
    st.download_button(
        "Save the comparison (HTML)",
        lambda: comparison_page(comparison).encode(),
        file_name=f"{name}.html",
        mime="text/html",
        key=f"html-{name}",
        on_click="ignore",
    )


def _table(title: str, table: ChartTable, name: str) -> None:
    st.markdown(f"**{escape_markdown(title)}**")
    show_table(table, title)
    st.download_button(
        "Save table (CSV)",
        table.csv,
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        on_click="ignore",
    )


def _report(state: UiState, result: SimulationResult) -> None:
    if result.page.is_file():
        st.link_button(
            "Open the report",
            report_address(state, result.key),
            help="The whole report in a new tab: classes, calibration, costs and the first images asked.",
        )
        return
    if st.button("Write the report", key=f"report-{result.key}"):
        title, order = f"write the report of {result.key}", {"do": "report", "key": result.key}
        if not state.jobs.start(JobKind.SIMULATE, title, asked_by(state), order):
            st.info("A simulation is at work. Write the report when it has ended.")
            return
        st.rerun()
