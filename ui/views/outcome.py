"""The result of a round: accuracy before and after, and whether the change may be chance."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from alworkbench.core.domain import MetricRecord
from ui.measures import Accuracy, accuracy_of, class_changes, intervals_overlap
from ui.views.parts import Figure, count, escape_markdown, figures, percent

_SHOWN_CLASSES = 3


def outcome(metrics: Sequence[MetricRecord]) -> None:
    """Draw the newest measurement beside the one before it; nothing when there is none."""
    measured = [(m, a) for m in metrics if (a := accuracy_of(m)) is not None]
    if not measured:
        st.caption(
            "This project has no audit set, so accuracy cannot be measured. Draw one on the project page."
        )
        return
    record, after = measured[-1]
    before = measured[-2] if len(measured) > 1 else None
    shown = [Figure("Accuracy now", percent(after.value), _interval(after))]
    if before is not None:
        change = 100 * (after.value - before[1].value)
        shown = [
            Figure("Accuracy before", percent(before[1].value), _interval(before[1])),
            *shown,
            Figure("Change", f"{_signed(change, 1)} points", _verdict(before[1], after)),
        ]
    figures(shown)
    st.caption(
        f"Measured on {count(after.images, 'audit image')}, which the model never learns from. "
        f"The model has learned from {count(after.labels, 'label')}."
    )
    if before is not None:
        _classes(before[0], record)


def outcome_line(metrics: Sequence[MetricRecord], round_number: int) -> str | None:
    """What a round bought, in a sentence or two; None where its learner is not measured."""
    measured = [(m, a) for m in metrics if (a := accuracy_of(m)) is not None]
    now = next((n for n, (m, _) in enumerate(measured) if m.round_number == round_number), None)
    if now is None:
        return None
    after = measured[now][1]
    words = f"The model has learned from round {round_number}. Accuracy {percent(after.value)}"
    if _interval(after):
        words += f" ({_interval(after)})"
    if now == 0:
        return f"{words}."
    before = measured[now - 1][1]
    verdict = _verdict(before, after)
    change = f"{_signed(100 * (after.value - before.value), 1)} points"
    return f"{words}, before {percent(before.value)}: {change}{verdict and '; '}{verdict}."


def _classes(before: MetricRecord, after: MetricRecord) -> None:
    changes = sorted(class_changes(before, after), key=lambda c: c.points, reverse=True)
    better = [c for c in changes if c.points > 0][:_SHOWN_CLASSES]
    worse = [c for c in reversed(changes) if c.points < 0][:_SHOWN_CLASSES]
    for title, group in (("Gained most", better), ("Lost most", worse)):
        if group:
            names = ", ".join(f"{escape_markdown(c.name)} ({_signed(c.points, 0)})" for c in group)
            st.markdown(f"**{title}**, in points: {names}")


def _signed(points: float, digits: int) -> str:
    return f"{points:+.{digits}f}".replace("-", "−")


def _interval(accuracy: Accuracy) -> str:
    if accuracy.low is None or accuracy.high is None:
        return ""
    return f"95 % interval {100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}"


def _verdict(before: Accuracy, after: Accuracy) -> str:
    overlap = intervals_overlap(before, after)
    if overlap is None:
        return ""
    return (
        "the intervals overlap: one round may be chance"
        if overlap
        else "the intervals do not overlap"
    )
