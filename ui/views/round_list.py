"""The list of all rounds: who asked what, when, and what it bought."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from alworkbench.core.domain import RoundState
from alworkbench.inputs.formula_guard import harmless
from alworkbench.project.round_history import RoundReport, interval_words, signed_points
from ui.unbroken import percent, unbroken
from ui.views.times import time_html

_STYLE = """
<style>
.alw-rounds { overflow-x: auto; }
.alw-rounds table { border-collapse: collapse; width: 100%; font-size: .92rem; }
.alw-rounds th, .alw-rounds td { text-align: left; padding: .45rem .9rem .45rem 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.alw-rounds th { font-weight: 600; opacity: .72; white-space: nowrap; }
.alw-rounds .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.alw-rounds time { white-space: nowrap; }
.alw-rounds bdi { overflow-wrap: anywhere; }
@media (max-width: 1100px) {
  .alw-rounds th { white-space: normal; }
  .alw-rounds th, .alw-rounds td { padding-right: .5rem; }
}
.alw-rounds .note { opacity: .72; font-size: .86rem; min-width: 7rem; white-space: normal; }
</style>
"""
_HEADINGS = (
    ("Round", True), ("Strategy", False), ("Images", True), ("Answers", True), ("Opened", False),
    ("Closed", False), ("Learner that asked", False), ("Accuracy", True), ("Change", True),
)  # fmt: skip


def round_list(reports: Sequence[RoundReport], now: datetime) -> None:
    """Draw the rounds as a table, the open one first and then the newest, and offer them as a file."""
    newest = sorted(
        reports, key=lambda r: (r.round.state is RoundState.OPEN, r.round.number), reverse=True
    )
    head = "".join(
        f'<th scope="col"{_number(right)}>{html.escape(name)}</th>' for name, right in _HEADINGS
    )
    rows = "".join(_row(each, now) for each in newest)
    st.html(
        f'{_STYLE}<div class="alw-rounds" role="region" aria-label="All rounds" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    st.caption(
        "Accuracy is measured on the audit set, before and after the model learned from the round. Point at "
        "a time for the exact one."
    )
    st.download_button(
        "Download as CSV",
        csv_of(newest),
        "rounds.csv",
        "text/csv",
        key="rounds-csv",
        type="tertiary",
    )


def csv_of(reports: Sequence[RoundReport]) -> str:
    """The list as a table with exact times; cells that a spreadsheet would compute are made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["round", "strategy", "images", "answers", "answers_wanted", "opened_at", "opened_by", "closed_at",
         "closed_by", "learner", "seed", "seconds", "accuracy", "accuracy_low", "accuracy_high", "change"]
    )  # fmt: skip
    for each in reports:
        of, bought = each.round, each.bought
        after = bought.after if bought else None
        writer.writerow(
            [of.number, harmless(of.strategy), of.batch_size, each.count.answers, each.count.wanted,
             of.opened_at.isoformat(), harmless(of.opened_by),
             of.closed_at.isoformat() if of.closed_at else "", harmless(of.closed_by),
             of.learner_id or "", of.seed, of.seconds,
             *((after.value, after.low, after.high) if after else ("", "", "")),
             "" if bought is None or bought.change is None else bought.change]
        )  # fmt: skip
    return out.getvalue()


def _row(report: RoundReport, now: datetime) -> str:
    of, bought = report.round, report.bought
    closed = time_html(of.closed_at, now) if of.closed_at else "<strong>open</strong>"
    after = change = "–"
    if bought is not None:
        before = "" if bought.before is None else f"{percent(bought.before.value)} → "
        after = f"{before}{percent(bought.after.value)}{_note(interval_words(bought.after))}"
        if bought.change is not None:
            change = f"{unbroken(signed_points(bought.change) + ' points')}{_note(bought.verdict)}"
    if report.audit:
        change = f"–{_note('measures, teaches nothing')}"
    cells = (
        (str(of.number), True),
        (html.escape(of.strategy), False),
        (f"{of.batch_size:,}", True),
        (f"{report.count.answers:,} of {report.count.wanted:,}", True),
        (f"{time_html(of.opened_at, now)}{_by(of.opened_by)}", False),
        (f"{closed}{_by(of.closed_by)}", False),
        ("zero-shot" if of.learner_id is None else f"no. {of.learner_id}", False),
        (after, True),
        (change, True),
    )
    first, *others = (f"{_number(right)}>{words}" for words, right in cells)
    return (
        f'<tr><th scope="row"{first}</th>' + "".join(f"<td{each}</td>" for each in others) + "</tr>"
    )


def _number(right: bool) -> str:
    return ' class="number"' if right else ""


def _by(name: str) -> str:
    return f'<div class="note">by <bdi>{html.escape(name)}</bdi></div>' if name else ""


def _note(words: str) -> str:
    return f'<div class="note">{html.escape(unbroken(words))}</div>' if words else ""
