"""The curves page: may we stop, accuracy on the audit set, what was saved, and other estimates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import streamlit as st

from alworkbench.core.domain import MetricRecord
from alworkbench.core.errors import InvalidResult
from alworkbench.core.words import percent
from alworkbench.project.accuracy_report import AccuracyReport
from alworkbench.project.measured_accuracy import Accuracy
from alworkbench.project.status import Status
from alworkbench.report.change_chart import Change, ChangeChart
from alworkbench.report.line_chart import Level, Line, LineChart, LinePoint
from alworkbench.simulation.kept import kept_simulations
from ui.measures import audit_curve, class_changes
from ui.state import UiState
from ui.views.accuracy_report import drawn_labels, left_out, population, replayed
from ui.views.advice import advice
from ui.views.audit_set import draw_call, without_audit_set
from ui.views.charts import GREY, SHARE_AXIS, show, show_lines
from ui.views.newest_simulation import simulations
from ui.views.parts import Figure, caption, count, figures, heading, with_commands
from ui.views.replays import replay_line
from ui.views.saved_labels import saved_labels
from ui.views.work import working


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "Curves",
        "Accuracy by number of labels",
        "Measured on the audit set: labelled images that the model never learns from.",
    )
    if working(state):
        return
    metrics = state.workbench.measurements.all()
    curve = audit_curve(metrics)
    status = state.workbench.status()
    if status.rounds_closed or curve:
        advice(state)
    st.space("small")
    if not curve:
        _no_measurements(state, status, go)
    elif len(curve) == 1:
        _first_measurement(curve[0], go)
    else:
        _audit(metrics, curve, state.workbench.session.settings().target_accuracy or None, go)
    report, fault = _report(state)
    population(report)
    if status.open_round is None and status.encoded > 0 and status.has_posterior:
        draw_call(state, go, key="curves-audit")
    kept = kept_simulations(state.workbench.session.folder.simulations)
    saved_labels(kept.finished, report.counterfactual, go)
    drawn_labels(report)
    left_out(report)
    replayed(report)
    if fault:
        st.warning(with_commands(fault), title="The replay among your labels cannot be shown")
    if status.rounds_closed:
        replay_line(state, go)
    simulations(kept, go)


def _report(state: UiState) -> tuple[AccuracyReport, str]:
    """The accuracy report, and why the replay is not in it: one damaged file hides no other figure."""
    try:
        return state.workbench.audit.report(), ""
    except InvalidResult as damaged:
        return state.workbench.audit.report(replayed=False), str(damaged)


def _no_measurements(state: UiState, status: Status, go: Callable[[str], None]) -> None:
    if status.audit_images == 0:
        words, act, page = without_audit_set(state, status, "accuracy cannot be measured")
        st.info(words)
        if page != "curves" and st.button(act, key="curves-audit-import"):
            go(page)
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
    caption("The curve starts when the next round is closed.")
    if st.button("Go to labelling", key="curves-label"):
        go("label")


def _audit(
    metrics: Sequence[MetricRecord],
    curve: Sequence[Accuracy],
    target: float | None,
    go: Callable[[str], None],
) -> None:
    zero_shot = next((a for a in curve if a.labels == 0), None)
    show_lines(audit_chart(curve, target))
    parts = [
        f"The line is accuracy on {count(curve[-1].images, 'audit image')} after each round; "
        f"the band is its 95 % Wilson interval."
    ]
    if zero_shot is not None:
        parts.append(f"The model before any label: {percent(zero_shot.value)}.")
    parts.append("The band does not contain the chance in the choice of the labelled images.")
    caption(" ".join(parts))
    changes = class_changes(metrics[0], metrics[-1]) if len(metrics) > 1 else []
    if changes:
        st.header("By class", anchor=False)
        rows = [Change(c.name, c.before, c.after) for c in changes]
        first = "before any label" if metrics[0].round_number == 0 else "first measurement"
        chart = ChangeChart(
            "accuracy-of-classes",
            "Accuracy of each class",
            first,
            "now",
            sorted(rows, key=lambda each: each.after, reverse=True),
        )
        show(_drawn(chart), chart.picture(), chart.table())
        caption(
            f"Share of correct predictions in each class, on the audit images: the hollow point is {first}, "
            "the filled point is now. Classes with few audit images change by chance."
        )
        if st.button("Intervals and errors of each class", key="curves-errors"):
            go("errors")


def audit_chart(curve: Sequence[Accuracy], target: float | None) -> LineChart:
    """Accuracy on the audit set by labels, with the model before any label and the target as levels."""
    levels = [Level("before any label", a.value) for a in curve if a.labels == 0][:1]
    if target is not None:
        levels.append(Level(f"target {percent(target, 0)}", target))
    newest = curve[-1]
    return LineChart(
        name="accuracy",
        title="Accuracy by labels",
        alt=(
            f"Accuracy on the audit set by labels learned from, with its interval. After "
            f"{count(newest.labels, 'label')}: {percent(newest.value)}."
        ),
        x="Labels learned from",
        y="Accuracy",
        lines=[
            Line("This project", tuple(LinePoint(a.labels, a.value, a.low, a.high) for a in curve))
        ],
        band="95 % Wilson interval",
        levels=levels,
    )


def _drawn(chart: ChangeChart) -> alt.LayerChart:
    rows = alt.InlineData(
        values=[{"name": c.name, "before": c.before, "after": c.after} for c in chart.rows]
    )
    y = alt.Y(
        "name:N",
        title=None,
        sort=[c.name for c in chart.rows],
        axis=alt.Axis(labelLimit=220, labelFlush=False),
    )
    x = alt.X(
        "after:Q", title="Accuracy", axis=SHARE_AXIS, scale=alt.Scale(domain=[0, 1], nice=False)
    )
    tooltip = [
        alt.Tooltip("name:N", title="Class"),
        alt.Tooltip("before:Q", title="Before", format=".1%"),
        alt.Tooltip("after:Q", title="Now", format=".1%"),
    ]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    return alt.layer(
        base.mark_rule(strokeWidth=2, color=GREY).encode(
            x=alt.X("before:Q", title="Accuracy"), x2="after:Q"
        ),
        base.mark_point(size=80, filled=False, strokeWidth=2).encode(x="before:Q"),
        base.mark_point(size=90, filled=True, opacity=1).encode(x=x),
    ).properties(height=max(140, 26 * len(chart.rows)))
