"""The accuracy report on the curves page: estimates from drawn labels, and simpler strategies replayed."""

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
    """Say which images the audit set represents, where that is not the whole pool."""
    stands = report.population
    if stands.drawn and stands.images > stands.drawn:
        st.caption(
            f"{stands.drawn:,} of the {count(stands.images, 'audit image')} were drawn from the pool. "
            f"The others were imported or chosen by hand, and represent the images that they were taken from."
        )
    if stands.drawn and stands.labelled_before:
        st.caption(
            f"When the audit set was drawn, {count(stands.labelled_before, 'image')} of the pool already had "
            f"an answer. It represents the {stands.candidates:,} images without one."
        )


def drawn_labels(report: AccuracyReport) -> None:
    """Draw the estimates from labels that were drawn with known probabilities, if there are any."""
    if not report.drawn:
        return
    st.subheader("Estimates from your labels", anchor=False)
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
        "These rounds drew their images with known probabilities. Weighted by them (LURE), their labels "
        "represent all images that had no answer at that time. Each line measures the model that chose "
        "the images, before it learned their labels. Other rounds have no such estimate."
    )
    if report.pooled is not None and len(report.drawn) > 1:
        words += (
            f" The average over these rounds is {_share(report.pooled.value)} "
            f"({_interval(report.pooled)})."
        )
    st.caption(words)
    st.space("small")


def left_out(report: AccuracyReport) -> None:
    """Draw the accuracy of the newest learner on labels that were left out, if it was computed."""
    found = report.leave_one_out
    if found is None:
        return
    st.subheader("Labels left out", anchor=False)
    groups = int(found["groups"])
    others = (
        "all others" if groups == found["labels"] else f"the others; {groups} groups were left out"
    )
    st.caption(
        f"Each of your {count(found['labels'], 'label')} is predicted by a model that learned from "
        f"{others}: {percent(found['accuracy'])} of the predictions are correct (95 % interval "
        f"{percent(found['accuracy_low'])} to {percent(found['accuracy_high'])}). The calibration error is "
        f"{found['ece']:.3f}; {found['ece_floor']:.3f} of it is expected by chance. If a "
        f"strategy chose these images, this is not the accuracy on the pool: it is too low where hard images "
        f"were chosen, and too high where easy or similar images were chosen. "
        "The audit set measures the pool without bias."
    )
    st.space("small")


def replayed(report: AccuracyReport) -> None:
    """Draw the accuracy of simpler strategies on the collected labels, if it was computed."""
    st.subheader("Simpler strategies on your labels", anchor=False)
    found = report.counterfactual
    if found is None:
        st.caption(
            "`alworkbench curves --counterfactual` lets random, entropy and margin choose among your "
            "labelled images, and measures them on the audit set."
        )
        return
    st.altair_chart(
        _chart(found), alt="Accuracy on the audit set by labels, for simpler strategies"
    )
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
        alt.Tooltip("who:N", title="Strategy"),
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
    ]
    return alt.layer(
        base.mark_area(opacity=0.12).encode(y=alt.Y("low:Q", title="Accuracy"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=y),
        base.mark_point(size=45, filled=True, opacity=1).encode(y=y, tooltip=tooltip),
    ).properties(height=_HEIGHT)


def _share(value: float) -> str:
    """A share in percent. An unbiased estimate may lie outside of 0 to 1; it is shown inside."""
    return percent(min(1.0, max(0.0, value)))


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
