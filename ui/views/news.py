"""What every open page is told of the project: what a round bought, once its learner is measured."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.domain import JobKind, JobState, RoundState
from alworkbench.project.round_history import bought
from ui.state import UiState
from ui.views.outcome import outcome_line
from ui.views.parts import escape_markdown

_LOOK_SECONDS = 3.0
_SEEN, _TOLD = "news-seen", "news-told"


@st.fragment(run_every=_LOOK_SECONDS)
def news(state: UiState) -> None:
    """Tell of the newest learner that was made while this page was open, once."""
    seen, told_key = f"{_SEEN}-{state.project_key}", f"{_TOLD}-{state.project_key}"
    marker = state.markers.lately()
    if st.session_state.get(seen) == marker:
        return
    job = state.jobs.newest(JobKind.LEARN)
    learned = job.job.id if job is not None and job.job.state is JobState.DONE else 0
    told = st.session_state.setdefault(told_key, learned)
    if learned > told:
        words = newest_outcome(state)
        if words is not None:
            st.toast(escape_markdown(words), duration="long")
    # At the end: a drawing that is stopped before has told nothing, and the next one does.
    st.session_state[told_key], st.session_state[seen] = max(told, learned), marker


def newest_outcome(state: UiState) -> str | None:
    """What the round that was closed last bought, in one or two sentences; None before the first."""
    closed = [e for e in state.workbench.rounds.all() if e.state is RoundState.CLOSED]
    if not closed:
        return None
    found = bought(closed[-1], state.workbench.measurements.all())
    without = f"Round {closed[-1].number} is closed. Accuracy was not measured."
    return outcome_line(found, closed[-1]) or without
