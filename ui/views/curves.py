"""The curves page: accuracy on the audit set, the accuracy report, and simulations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import streamlit as st

from alworkbench.core.domain import MetricRecord
from alworkbench.evaluation.curves import TableRow
from alworkbench.project.status import Status
from alworkbench.simulation.results import SimulationResult, load_results
from ui.measures import (
    Accuracy,
    ClassChange,
    CurvePoint,
    audit_curve,
    class_changes,
    summarise,
)
from ui.state import UiState
from ui.views.accuracy_report import (
    LEGEND,
    SEED_BAND,
    drawn_labels,
    left_out,
    population,
    replayed,
)
from ui.views.audit_set import draw_call
from ui.views.parts import Figure, count, escape_markdown, figures, heading, percent
from ui.views.work import working

AUDIT_BAND = "Accuracy on the audit set; band: 95 % Wilson interval"
_HEIGHT = 340
_GREY = "#8a8f94"
"""Legible on the light and on the dark page."""
_ACCURACY = alt.Axis(format=".0%", tickCount=6, grid=True)
_LABELS = alt.Axis(format="d", tickMinStep=1, tickCount=10, grid=False)


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "Curves",
        "Accuracy by number of labels",
        "Measured on the audit set: labelled images that the model never learns from.",
    )
    if working(state):
        return
    st.space("small")
    metrics = state.workbench.measurements.all()
    curve = audit_curve(metrics)
    status = state.workbench.status()
    if not curve:
        _no_measurements(status, go)
    elif len(curve) == 1:
        _first_measurement(curve[0], go)
    else:
        _audit(metrics, curve)
    report = state.workbench.audit.report()
    population(report)
    if status.open_round is None and status.encoded > 0 and status.has_posterior:
        draw_call(state, go, key="curves-audit")
    st.space("medium")
    drawn_labels(report)
    left_out(report)
    replayed(report)
    st.space("medium")
    _simulations(load_results(state.workbench.session.folder.simulations))


def _no_measurements(status: Status, go: Callable[[str], None]) -> None:
    if status.audit_images == 0:
        st.info(
            "This project has no audit set, so accuracy cannot be measured. Draw one here while no round "
            "is open, or import labelled images for it: `alworkbench import FOLDER --audit`."
        )
        return
    st.info("Accuracy is not measured yet. The first point appears when a round is closed.")
    if st.button("Go to labelling", key="curves-label"):
        go("label")


def _first_measurement(first: Accuracy, go: Callable[[str], None]) -> None:
    when = "before any label" if first.labels == 0 else f"after {count(first.labels, 'label')}"
    interval = (
        f"95 % interval {percent(first.low)} to {percent(first.high)}, "
        if first.low is not None and first.high is not None
        else ""
    )
    figures(
        [
            Figure(
                f"Accuracy {when}",
                percent(first.value),
                f"{interval}on {count(first.images, 'image')}",
            )
        ]
    )
    st.caption("The curve starts when the next round is closed.")
    if st.button("Go to labelling", key="curves-label"):
        go("label")


# ---------------------------------------------------------------------------------- the audit set


def _audit(metrics: Sequence[MetricRecord], curve: Sequence[Accuracy]) -> None:
    zero_shot = next((a for a in curve if a.labels == 0), None)
    st.altair_chart(_audit_chart(curve, zero_shot), alt="Accuracy by labels, with its interval")
    parts = [
        f"The line is accuracy on {count(curve[-1].images, 'audit image')} after each round; "
        f"the band is its 95 % Wilson interval."
    ]
    if zero_shot is not None:
        parts.append(f"The dashed line is the model before any label: {percent(zero_shot.value)}.")
    parts.append("The band does not contain the chance in the choice of the labelled images.")
    st.caption(" ".join(parts))
    changes = class_changes(metrics[0], metrics[-1]) if len(metrics) > 1 else []
    if changes:
        st.space("small")
        st.subheader("By class", anchor=False)
        st.altair_chart(_class_chart(changes), alt="Accuracy of each class, first and newest")
        st.caption(
            "Share of correct predictions in each class, on the audit images: the hollow point is before any "
            "label, the filled point is now. Classes with few audit images change by chance."
            if metrics[0].round_number == 0
            else "Share of correct predictions in each class, on the audit images: the hollow point is the "
            "first measurement, the filled point is now. Classes with few audit images change by chance."
        )


def _audit_chart(curve: Sequence[Accuracy], zero_shot: Accuracy | None) -> alt.LayerChart:
    rows = alt.InlineData(
        values=[
            {
                "labels": a.labels,
                "accuracy": a.value,
                "low": a.low,
                "high": a.high,
                "legend": AUDIT_BAND,
            }
            for a in curve
        ]
    )
    y = alt.Y(
        "accuracy:Q", title="Accuracy", axis=_ACCURACY, scale=alt.Scale(zero=False, nice=True)
    )
    base = alt.Chart(rows).encode(
        x=alt.X("labels:Q", title="Labels learned from", axis=_LABELS),
        color=alt.Color("legend:N", title=None, legend=LEGEND),
    )
    tooltip = [
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="95 % to", format=".1%"),
    ]
    layers = [
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title="Accuracy"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=y, tooltip=tooltip),
    ]
    if zero_shot is not None:
        rule = alt.Chart(alt.InlineData(values=[{"accuracy": zero_shot.value}]))
        layers.insert(0, rule.mark_rule(strokeDash=[5, 5], color=_GREY, size=1.5).encode(y=y))
    return alt.layer(*layers).properties(height=_HEIGHT)


def _class_chart(changes: Sequence[ClassChange]) -> alt.LayerChart:
    ordered = sorted(changes, key=lambda c: c.after, reverse=True)
    rows = alt.InlineData(
        values=[{"name": c.name, "before": c.before, "after": c.after} for c in ordered]
    )
    y = alt.Y(
        "name:N",
        title=None,
        sort=[c.name for c in ordered],
        axis=alt.Axis(labelLimit=220, labelFlush=False),
    )
    x = alt.X(
        "after:Q", title="Accuracy", axis=_ACCURACY, scale=alt.Scale(domain=[0, 1], nice=False)
    )
    tooltip = [
        alt.Tooltip("name:N", title="Class"),
        alt.Tooltip("before:Q", title="Before", format=".1%"),
        alt.Tooltip("after:Q", title="Now", format=".1%"),
    ]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    return alt.layer(
        base.mark_rule(strokeWidth=2, color=_GREY).encode(
            x=alt.X("before:Q", title="Accuracy"), x2="after:Q"
        ),
        base.mark_point(size=80, filled=False, strokeWidth=2).encode(x="before:Q"),
        base.mark_point(size=90, filled=True, opacity=1).encode(x=x),
    ).properties(height=max(140, 30 * len(ordered)))


# ------------------------------------------------------------------------------------ simulations


def _simulations(simulations: Sequence[SimulationResult]) -> None:
    st.subheader("Simulations", anchor=False)
    if not simulations:
        st.caption(
            "No simulation was run. `alworkbench simulate` labels with known answers and compares "
            "strategies over several seeds."
        )
        return
    chosen = simulations[0]
    if len(simulations) > 1:
        names = [s.name for s in simulations]
        index = st.selectbox(
            "Simulation",
            range(len(names)),
            format_func=lambda i: names[i],
            key="simulation",
        )
        chosen = simulations[index]
    points = summarise(chosen.curves)
    if not points:
        st.caption("This simulation holds no results yet.")
        return
    st.altair_chart(_simulation_chart(points), alt="Mean accuracy by labels for each strategy")
    st.caption(_simulation_words(chosen, points))
    st.dataframe(
        _simulation_table(chosen.table()),
        hide_index=True,
        alt="Accuracy at some label budgets",
        column_config={"Strategy": st.column_config.TextColumn(width="medium")},
    )


def _simulation_chart(points: Sequence[CurvePoint]) -> alt.LayerChart:
    rows = alt.InlineData(
        values=[
            {
                "strategy": p.strategy,
                "labels": p.labels,
                "mean": p.accuracy.mean,
                "low": p.accuracy.low if p.accuracy.seeds > 1 else p.accuracy.mean,
                "high": p.accuracy.high if p.accuracy.seeds > 1 else p.accuracy.mean,
                "seeds": p.accuracy.seeds,
            }
            for p in points
        ]
    )
    strategies = list(dict.fromkeys(p.strategy for p in points))
    base = alt.Chart(rows).encode(
        x=alt.X("labels:Q", title="Labels", axis=_LABELS),
        color=alt.Color(
            "strategy:N",
            title=SEED_BAND if any(p.accuracy.seeds > 1 for p in points) else None,
            sort=strategies,
            legend=LEGEND,
        ),
    )
    y = alt.Y("mean:Q", title="Accuracy", axis=_ACCURACY, scale=alt.Scale(zero=False, nice=True))
    tooltip = [
        alt.Tooltip("strategy:N", title="Strategy"),
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("mean:Q", title="Mean accuracy", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="95 % to", format=".1%"),
        alt.Tooltip("seeds:Q", title="Seeds"),
    ]
    return alt.layer(
        base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q", title="Accuracy"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(size=45, filled=True, opacity=1).encode(y=y, tooltip=tooltip),
    ).properties(height=_HEIGHT + 40)


def _simulation_words(simulation: SimulationResult, points: Sequence[CurvePoint]) -> str:
    band = (
        "the band is the 95 % t-interval of the mean over seeds"
        if max(p.accuracy.seeds for p in points) > 1
        else "a single seed has no interval"
    )
    return escape_markdown(f"{simulation.summary()}. Answers are the known labels; {band}.")


def _simulation_table(rows: Sequence[TableRow]) -> dict[str, list[str]]:
    budgets = sorted({labels for row in rows for labels in row.at})
    table = {"Strategy": [row.strategy for row in rows]}
    for labels in budgets:
        table[count(labels, "label")] = [
            row.at[labels].with_interval if labels in row.at else "–" for row in rows
        ]
    table["Mean over the curve"] = [row.area.with_interval for row in rows]
    return table
