"""An open page notices that a round was opened, closed or prepared, and that a job began or ended."""

from __future__ import annotations

import streamlit as st

from ui.state import UiState

_LOOK_SECONDS = 2.0

Marker = tuple[int | None, int | None, bool, int | None, bool]


def follow(state: UiState) -> None:
    """Draw nothing, and draw the page again when rounds or jobs are no longer what they are now."""
    _look(state, marker(state))


def marker(state: UiState) -> Marker:
    """The open round, the newest job that is shown, whether it runs, a preparation that failed, and
    whether the next round is ready.

    Reads few rows.
    """
    current, job = state.workbench.rounds.current(), state.jobs.latest()
    failed = state.workbench.prepared.failed()
    return (
        None if current is None else current.id,
        None if job is None else job.job.id,
        job is not None and job.running,
        None if failed is None else failed.id,
        state.workbench.prepared.kept() is not None,
    )


@st.fragment(run_every=_LOOK_SECONDS)
def _look(state: UiState, seen: Marker) -> None:
    if marker(state) != seen:
        st.rerun()
