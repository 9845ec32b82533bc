"""The running computation on a page: its step, its progress, its error."""

from __future__ import annotations

import streamlit as st

from ui.door.visitor import person_here
from ui.state import UiState
from ui.views.parts import escape_markdown

_REFRESH_SECONDS = 0.5


def working(state: UiState) -> bool:
    """Draw the running computation; returns whether there is one.

    When it ends, the page draws itself again. Leaving the page does not stop it. Beside one that learns
    from the last round while the next is open, pages are drawn as usual.
    """
    job = state.jobs.latest()
    if job is None or not job.running:
        return False
    if job.aside and state.workbench.rounds.current() is not None:
        st.caption(f"{escape_markdown(job.title)}: the model learns meanwhile. You can go on.")
        return False
    with st.container(border=True):
        st.subheader(escape_markdown(job.title), anchor=False)
        _watch(state)
        st.caption("You can leave this page. The computation goes on.")
    return True


def failure(state: UiState) -> None:
    """Draw the error of the last computation, if it failed."""
    job = state.jobs.latest()
    if job is not None and job.error is not None:
        st.error(escape_markdown(job.error), title=escape_markdown(f"{job.title}: not done"))


def asked_by(state: UiState) -> str:
    """The name of the person who looks at the page, for the record of a job."""
    person = person_here(state)
    return "the browser" if person is None else person.name


@st.fragment(run_every=_REFRESH_SECONDS)
def _watch(state: UiState) -> None:
    job = state.jobs.latest()
    if job is None or not job.running:
        st.rerun()
    step = escape_markdown(job.step)
    amount = f" · {job.done:,} of {job.total:,}" if job.total > 0 else ""
    st.progress(job.fraction, text=f"{step}{amount} · {job.seconds():.0f} s")
