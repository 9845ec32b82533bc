"""A job beside the rounds on a page: how far it is, what remains, and a way to stop it."""

from __future__ import annotations

from alworkbench.core.domain import JobKind
from ui.jobs import JobView
from ui.state import UiState
from ui.views.work import failed, job_box


def side_job(state: UiState, *kinds: JobKind, title: str | None = None) -> JobView | None:
    """Draw the live job of these kinds, or why the newest one with this title (None: any) failed.

    Returns the live job, or else the newest with this title.

    When a live one ends, the page draws itself again. Leaving or reloading the page does not stop it.
    """
    job = state.jobs.newest(*kinds, title=title)
    if job is not None and job.running:
        job_box(state, job, lambda: state.jobs.newest(*kinds), "It goes on beside rounds.")
    else:
        failed(job)
    return job
