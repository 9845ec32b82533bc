"""The running computation, as a page shows it: what is being done, how far, what went wrong."""

from __future__ import annotations

import streamlit as st

from ui.state import UiState
from ui.views.parts import escape_markdown

_REFRESH_SECONDS = 0.5


def working(state: UiState) -> bool:
    """Draw the running computation, if there is one, and say whether there is.

    The rest of the page is drawn again by itself when it ends; leaving the page does not stop it.
    """
    job = state.jobs.latest()
    if job is None or not job.running:
        return False
    with st.container(border=True):
        st.subheader(escape_markdown(job.title), anchor=False)
        _watch(state)
        st.caption("You can leave this page: the work goes on.")
    return True


def failure(state: UiState) -> None:
    """Draw what the last computation failed with, if it did."""
    job = state.jobs.latest()
    if job is not None and job.error is not None:
        st.error(escape_markdown(job.error), title=escape_markdown(f"{job.title}: not done"))


@st.fragment(run_every=_REFRESH_SECONDS)
def _watch(state: UiState) -> None:
    job = state.jobs.latest()
    if job is None or not job.running:
        st.rerun()
    step = escape_markdown(job.step)
    amount = f" · {job.done:,} of {job.total:,}" if job.total > 0 else ""
    st.progress(job.fraction, text=f"{step}{amount} · {job.seconds():.0f} s")
