"""A running computation on a page: its step, its progress, who asked, its end; and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from alworkbench.core.domain import JobKind, PersonRole
from alworkbench.core.errors import ProjectError
from ui.door.visitor import person_here
from ui.jobs import JobView
from ui.state import UiState
from ui.views.parts import ROW, escape_markdown, with_commands

_REFRESH_SECONDS = 0.5
_LEFT_FROM = 0.02
"""The share of a step that must be done before what remains is estimated."""


def working(state: UiState) -> bool:
    """Draw the running computation that changes rounds or learners; returns whether there is one.

    When it ends, the page draws itself again. Leaving the page does not stop it. Beside one that learns
    from the last round while the next is open, pages are drawn as usual.
    """
    job = state.jobs.latest()
    if job is None or not job.running:
        return False
    if job.aside and state.workbench.rounds.current() is not None:
        st.caption(f"{escape_markdown(job.title)}: the model learns meanwhile. You can go on.")
        return False
    job_box(state, job, state.jobs.latest, "The computation goes on.")
    return True


def failure(state: UiState) -> None:
    """Draw the error of the last computation, if it failed."""
    failed(state.jobs.latest())


def failed(job: JobView | None) -> None:
    """Draw why a computation did not succeed, if so."""
    if job is not None and job.error is not None:
        st.error(with_commands(job.error), title=escape_markdown(f"{job.title}: not done"))


def begin(state: UiState, kind: JobKind, title: str, order: Mapping[str, object]) -> bool:
    """Start a computation for the person who looks at the page. Where one of its kind runs, say so."""
    if state.jobs.start(kind, title, asked_by(state), order):
        return True
    st.warning("This is computed already. Wait until it has ended.")
    return False


def asked_by(state: UiState) -> str:
    """The name of the person who looks at the page, for the record of a job."""
    person = person_here(state)
    return "the browser" if person is None else person.name


def job_box(
    state: UiState, job: JobView, newest: Callable[[], JobView | None], goes_on: str
) -> None:
    """Draw a running job; the page is drawn again when it has ended.

    `newest` reads the job as it is now; `goes_on` says what leaving the page changes.
    """
    with st.container(border=True):
        st.header(escape_markdown(job.title), anchor=False)
        _watch(state, newest, goes_on)


@st.fragment(run_every=_REFRESH_SECONDS)
def _watch(state: UiState, newest: Callable[[], JobView | None], goes_on: str) -> None:
    job = newest()
    if job is None or not job.running:
        st.rerun()
    amount = f" · {job.done:,} of {job.total:,}" if job.total > 0 else ""
    st.progress(job.fraction, text=f"{escape_markdown(job.step)}{amount} · {_time(job)}")
    with st.container(**ROW):
        where = f"Asked by {job.job.asked_by}"
        if not job.job.order:  # a process of its own computes it, such as a command
            where += f", in process {job.job.process.pid} on {job.job.process.host}"
        st.caption(f"{escape_markdown(where)}. You can leave this page. {goes_on}")
        if job.job.cancel_asked:
            st.caption("It stops at its next step.")
        elif _may_stop(state, job) and st.button("Cancel", key=f"cancel-{job.job.id}"):
            _cancel(state, job)


def _may_stop(state: UiState, job: JobView) -> bool:
    """Managers stop every computation, and everybody their own."""
    person = person_here(state)
    if person is None:
        return False
    return person.role.includes(PersonRole.MANAGER) or person.name == job.job.asked_by


def _cancel(state: UiState, job: JobView) -> None:
    try:
        state.jobs.cancel(job.job, asked_by(state))
    except ProjectError as problem:
        st.error(with_commands(str(problem)))
        return
    st.rerun()


def _time(job: JobView) -> str:
    gone = job.seconds()
    if job.fraction < _LEFT_FROM or job.fraction >= 1:
        return duration(gone)
    return f"{duration(gone)}, about {duration(gone * (1 - job.fraction) / job.fraction)} left"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
