"""What the curves page shows beside the audit set: drawn labels, and a replay of what was collected."""

from __future__ import annotations

import altair as alt
import streamlit as st

from alworkbench.evaluation.lure import Estimate
from alworkbench.project.accuracy_report import AccuracyReport
from alworkbench.project.counterfactual_file import Counterfactual
from ui.views.parts import count, escape_markdown, percent

_HEIGHT = 300
_ACCURACY = alt.Axis(format=".0%", tickCount=6, grid=True)
_LABELS = alt.Axis(format="d", tickMinStep=1, tickCount=10, grid=False)
OWN = "this project"
SEED_BAND = "Mean over seeds; band: 95 % t-interval"
"""Legend title of every chart whose bands are intervals over seeds."""
LEGEND = alt.Legend(
    orient="top",
    columns=4,
    symbolOpacity=1,
    symbolType="circle",
    offset=12,
    labelLimit=480,
    titleLimit=480,
)


def population(report: AccuracyReport) -> None:
    """Whom the audit set stands for, where that is not the whole pool."""
    stands = report.population
    if stands.drawn and stands.images > stands.drawn:
        st.caption(
            f"{stands.drawn:,} of the {count(stands.images, 'audit image')} were drawn from the pool; the "
            f"others were imported, and stand for what they were taken from."
        )
    if stands.drawn and stands.labelled_before:
        st.caption(
            f"When the audit set was drawn, {count(stands.labelled_before, 'image')} of the pool had an "
            f"answer already. It stands for the {stands.candidates:,} that had none."
        )


def drawn_labels(report: AccuracyReport) -> None:
    """Estimates from labels that were drawn with known probabilities; nothing where there are none."""
    if not report.drawn:
        return
    st.subheader("Estimated from the labels you gave", anchor=False)
    st.dataframe(
        {
            "Round": [each.round for each in report.drawn],
            "Strategy": [each.strategy for each in report.drawn],
            "Labels": [each.accuracy.labels for each in report.drawn],
            "Accuracy": [_share(each.accuracy.value) for each in report.drawn],
            "95 % interval": [_interval(each.accuracy) for each in report.drawn],
            "Without correction": [_share(each.accuracy.naive) for each in report.drawn],
            "No class": [each.unclear for each in report.drawn],
        },
        hide_index=True,
        alt="Accuracy estimated from each round's own labels",
    )
    words = (
        "These rounds drew their images with known probabilities, so their labels can be weighted (LURE) "
        "to stand for all images that had no answer then. Each line is of the learner that asked, which "
        "had not seen these labels. Rounds that picked without drawing have no such estimate."
    )
    if report.pooled is not None and len(report.drawn) > 1:
        words += (
            f" Over these rounds, on average: {_share(report.pooled.value)} "
            f"({_interval(report.pooled)})."
        )
    st.caption(words)
    st.space("small")


def left_out(report: AccuracyReport) -> None:
    """What the newest learner says of each label without it; nothing where it was not computed."""
    found = report.leave_one_out
    if found is None:
        return
    st.subheader("Each label left out", anchor=False)
    st.caption(
        f"Without its own label, {percent(found['accuracy'])} of the {count(found['labels'], 'label')} would "
        f"have been answered right (95 % interval {percent(found['accuracy_low'])} to "
        f"{percent(found['accuracy_high'])}); calibration error {found['ece']:.3f}, of which "
        f"{found['ece_floor']:.3f} is expected by chance. This is about the images that were asked, which "
        f"were chosen, and not about the pool: it reads low where hard images were asked and high where "
        f"easy or similar ones were. The audit set is the honest measure."
    )
    st.space("small")


def replayed(report: AccuracyReport) -> None:
    """What simpler strategies would have asked among the collected labels, if it was computed."""
    st.subheader("Replayed among the labels you gave", anchor=False)
    found = report.counterfactual
    if found is None:
        st.caption(
            "`alworkbench curves --counterfactual` replays random, entropy and margin among the "
            "labelled images, measured on the audit set."
        )
        return
    st.altair_chart(_chart(found), alt="Accuracy on the audit set by labels, replayed strategies")
    st.caption(escape_markdown(found.validity))
    if found.stale:
        st.caption("It is out of date: run `alworkbench curves --counterfactual` again.")


def _chart(found: Counterfactual) -> alt.LayerChart:
    rows = [
        {"who": OWN, "labels": labels, "accuracy": value, "low": value, "high": value}
        for labels, value in found.own
    ] + [
        {
            "who": p.strategy,
            "labels": p.labels,
            "accuracy": p.accuracy,
            "low": p.low,
            "high": p.high,
        }
        for p in found.points
    ]
    names = [OWN, *dict.fromkeys(p.strategy for p in found.points)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("labels:Q", title="Labels learned from", axis=_LABELS),
        color=alt.Color(
            "who:N",
            title=SEED_BAND,
            sort=names,
            legend=LEGEND,
        ),
    )
    y = alt.Y(
        "accuracy:Q", title="Accuracy", axis=_ACCURACY, scale=alt.Scale(zero=False, nice=True)
    )
    tooltip = [
        alt.Tooltip("who:N", title="Who asked"),
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
    ]
    return alt.layer(
        base.mark_area(opacity=0.12).encode(y=alt.Y("low:Q", title="Accuracy"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(size=45, filled=True, opacity=1).encode(y=y, tooltip=tooltip),
    ).properties(height=_HEIGHT)


def _share(value: float) -> str:
    """An unbiased estimate may lie outside of 0 to 1; nobody is helped by being shown that."""
    return percent(min(1.0, max(0.0, value)))


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
