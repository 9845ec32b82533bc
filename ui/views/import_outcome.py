"""What an import did, or would do: counts, what needs attention, and what was left out."""

from __future__ import annotations

import streamlit as st

from alworkbench.project.import_reports import ImportReport
from alworkbench.project.label_findings import OTHER
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, with_commands

DROPPED = "import-dropped"
"""Where the browser keeps the id of the job of a look that was dropped; its failure is old news."""
MOST_SHOWN = 200
"""Rows of the table; the file has all of them."""


def outcome(state: UiState, report: ImportReport) -> None:
    """Draw the report of the newest import or encoding."""
    named = "encoded images" if report.order is None else report.order.name
    title = f"Looked at {named}" if report.dry_run else f"Last import: {named}"
    if report.order is None:
        title = "Last encoding"
    st.header(escape_markdown(title), anchor=False)
    st.write(escape_markdown(report.words))
    st.caption(escape_markdown(f"Asked by {report.by}, {report.at:%Y-%m-%d %H:%M} UTC."))
    for note in report.notes:
        st.info(escape_markdown(note))
    for problem in report.problems:
        sentences = problem.what == OTHER
        shown = (" " if sentences else "; ").join(problem.named)
        more = problem.count - len(problem.named)
        rest = f"; and {more:,} more" if more > 0 else ""
        kind = "" if sentences else f"{problem.what}: {problem.count:,}. "
        st.error(with_commands(f"{kind}{shown}{rest}"))
    if report.problems:
        st.write(
            "It would be refused. Mend the source, or choose other options, and look at it again."
        )
    if report.nothing:
        st.info(escape_markdown(report.nothing))
    _left_out(report)
    if report.dry_run and report.order is not None:
        with st.container(**ROW):
            then = " Import takes the same options." if report.next_order is not None else ""
            st.caption(f"Nothing is stored yet.{then}")
            if st.button("Choose something else", key="import-discard"):
                state.workbench.incoming.drop(report)
                st.session_state[DROPPED] = report.job_id
                st.rerun()


def _left_out(report: ImportReport) -> None:
    if not report.unreadable:
        return
    shown = report.unreadable[:MOST_SHOWN]
    with st.expander(f"{count(len(report.unreadable), 'file')} left out, and why"):
        st.dataframe(
            {
                "File": [each[0] for each in shown],
                "Reason": [each[1] for each in shown],
                "Detail": [each[2] for each in shown],
            },
            hide_index=True,
            alt="Files that were left out, with the reason",
        )
        if len(report.unreadable) > MOST_SHOWN:
            st.caption(f"The first {MOST_SHOWN}; the file lists all of them.")
    st.download_button(
        "Download what was left out (CSV)",
        report.csv.encode(),
        "left-out.csv",
        "text/csv",
        key="import-csv",
        on_click="ignore",
    )
