"""A job beside the rounds on a page: how far it is, what remains, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from alworkbench.core.domain import Job, JobKind
from ui.jobs import JobView
from ui.state import UiState
from ui.views.work import failed, job_box


def side_job(
    state: UiState,
    *kinds: JobKind,
    which: Callable[[Job], bool] | None = None,
    told: Collection[int] = (),
) -> JobView | None:
    """Draw the live job of these kinds, or why the one of `which` (None: all) that ended last failed.

    Returns the live job, or else that one. The page says itself why the jobs with the ids `told` failed.

    When a live one ends, the page draws itself again. Leaving or reloading the page does not stop it.
    """
    job = state.jobs.newest(*kinds, which=which)
    if job is not None and job.running:
        job_box(state, job, lambda: state.jobs.newest(*kinds), "It goes on beside rounds.")
    elif job is not None and job.job.id not in told:
        failed(job)
    return job
