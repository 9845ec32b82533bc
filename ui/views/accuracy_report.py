"""The accuracy report on the curves page: estimates from drawn labels, and simpler strategies replayed."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.words import chance_words
from alworkbench.evaluation.lure import Estimate
from alworkbench.project.accuracy_report import AccuracyReport
from alworkbench.project.counterfactual_file import Counterfactual
from alworkbench.report.line_chart import Line, LineChart, LinePoint
from ui.unbroken import percent
from ui.views.charts import show_lines
from ui.views.parts import caption, count, escape_markdown

OWN = "this project"


def population(report: AccuracyReport) -> None:
    """Say which images the audit set represents, where that is not the whole pool."""
    stands = report.population
    if stands.drawn and stands.images > stands.drawn:
        caption(
            f"{stands.drawn:,} of the {count(stands.images, 'audit image')} were drawn from the pool. "
            f"The others were imported or chosen by hand, and represent the images that they were taken from."
        )
    if stands.drawn and stands.labelled_before:
        caption(
            f"When the audit set was drawn, {count(stands.labelled_before, 'image')} of the pool already had "
            f"an answer. It represents the {stands.candidates:,} images without one."
        )


def drawn_labels(report: AccuracyReport) -> None:
    """Draw the estimates from labels that were drawn with known probabilities, if there are any."""
    if not report.drawn:
        return
    st.header("Estimates from your labels", anchor=False)
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
    caption(words)


def left_out(report: AccuracyReport) -> None:
    """Draw the accuracy of the newest learner on labels that were left out, if it was computed."""
    found = report.leave_one_out
    if found is None:
        return
    st.header("Labels left out", anchor=False)
    groups = int(found["groups"])
    others = (
        "all others" if groups == found["labels"] else f"the others; {groups} groups were left out"
    )
    caption(
        f"Each of your {count(found['labels'], 'label')} is predicted by a model that learned from "
        f"{others}: {percent(found['accuracy'])} of the predictions are correct (95 % interval "
        f"{percent(found['accuracy_low'])} to {percent(found['accuracy_high'])}). The calibration error is "
        f"{found['ece']:.3f}; {chance_words(found['ece_floor'])}. If a "
        f"strategy chose these images, this is not the accuracy on the pool: it is too low where hard images "
        f"were chosen, and too high where easy or similar images were chosen. "
        "The audit set measures the pool without bias."
    )


def replayed(report: AccuracyReport) -> None:
    """Draw the accuracy of simpler strategies on the collected labels, if it was computed."""
    st.header("Simpler strategies on your labels", anchor=False)
    found = report.counterfactual
    if found is None:
        caption(
            "`alworkbench curves --counterfactual` lets random, entropy and margin choose among your "
            "labelled images, and measures them on the audit set."
        )
        return
    show_lines(_chart(found))
    caption(escape_markdown(found.validity))
    if found.stale:
        caption("It is out of date: run `alworkbench curves --counterfactual` again.")


def _chart(found: Counterfactual) -> LineChart:
    own = Line(OWN, tuple(LinePoint(labels, value) for labels, value in found.own))
    names = list(dict.fromkeys(p.strategy for p in found.points))
    others = [
        Line(
            name,
            tuple(
                LinePoint(p.labels, p.accuracy, p.low, p.high)
                for p in found.points
                if p.strategy == name
            ),
        )
        for name in names
    ]
    return LineChart(
        name="replayed-strategies",
        title="Accuracy of simpler strategies on your labels",
        alt="Accuracy on the audit set by labels, for simpler strategies",
        x="Labels learned from",
        y="Accuracy",
        lines=[own, *others],
        band="95 % t-interval over seeds",
        who="Strategy",
    )


def _share(value: float) -> str:
    """A share in percent. An unbiased estimate may lie outside of 0 to 1; it is shown inside."""
    return percent(min(1.0, max(0.0, value)))


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
