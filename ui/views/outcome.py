"""The result of a round: accuracy before and after, and whether the change may be chance."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, MetricRecord, Round
from alworkbench.project.class_sets import check_sets
from alworkbench.project.round_history import Bought, bought, interval_words, signed_points
from ui.measures import class_changes
from ui.state import UiState
from ui.unbroken import percent
from ui.views.parts import Figure, caption, count, escape_markdown, figures

_SHOWN_CLASSES = 3


def last_result(state: UiState, closed: Round) -> None:
    """Draw what the round that was closed last bought, and how often its likely classes were right."""
    metrics = state.workbench.measurements.all()
    outcome(closed, metrics)
    check = check_sets(closed, state.workbench.rounds.items(closed.id))
    if check is not None:
        caption(check.words)


def outcome(closed: Round, metrics: Sequence[MetricRecord]) -> None:
    """Draw the measurement after a round beside the one before it. `metrics` are all."""
    found = bought(closed, metrics)
    if found is None:
        caption(_not_measured(closed, metrics))
        return
    after, before = found.after, found.before
    shown = [Figure("Accuracy now", percent(after.value), interval_words(after))]
    if before is not None and found.change is not None:
        shown = [
            Figure("Accuracy before", percent(before.value), interval_words(before)),
            *shown,
            Figure("Change", f"{signed_points(found.change)} points", found.verdict),
        ]
    figures(shown)
    caption(
        f"Measured on {count(after.images, 'audit image')}, which the model never learns from. "
        f"The model has learned from {count(after.labels, 'label')}."
    )
    if len(found.records) > 1:
        _classes(*found.records)


def _not_measured(closed: Round, metrics: Sequence[MetricRecord]) -> str:
    if closed.strategy == AUDIT_STRATEGY:
        return (
            "The model learns nothing from images of the audit set. It was not measured after them."
        )
    if metrics:
        return "The accuracy after this round is not measured."
    return (
        "Accuracy is measured on labelled images of an audit set, and this project has none yet. Draw them "
        "on the page Curves."
    )


def outcome_line(found: Bought | None, closed: Round) -> str | None:
    """What a round bought, in a sentence or two; None where its learner is not measured."""
    if found is None:
        return None
    if closed.strategy == AUDIT_STRATEGY:
        return f"The model is measured on round {closed.number}. {found.words}."
    return f"The model has learned from round {closed.number}. {found.words}."


def _classes(before: MetricRecord, after: MetricRecord) -> None:
    changes = sorted(class_changes(before, after), key=lambda c: c.points, reverse=True)
    better = [c for c in changes if c.points > 0][:_SHOWN_CLASSES]
    worse = [c for c in reversed(changes) if c.points < 0][:_SHOWN_CLASSES]
    for title, group in (("Gained most", better), ("Lost most", worse)):
        if group:
            names = ", ".join(
                f"{escape_markdown(c.name)} ({signed_points(c.points / 100, 0)})" for c in group
            )
            st.markdown(f"**{title}**, in points: {names}")
