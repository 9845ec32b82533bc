"""The page of a reviewer: disagreements, likely errors and second opinions, one image at a time.

Unless the reviewer says otherwise, the answers of others and the opinion of the model are hidden until the
reviewer has said what the image is, so that they do not pull this opinion. Each decision is an answer of its
own; nothing is removed. Cases and decisions go by `ui.routes.reviews`: none passes through a rerun.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import JobKind, JobState
from alworkbench.project.review_cases import LOOK
from ui.components.reviewer import reviewer
from ui.door.visitor import person_here
from ui.jobs import JobView, titled
from ui.state import UiState
from ui.views.parts import count, heading
from ui.views.side_job import side_job
from ui.views.times import ago
from ui.views.work import begin


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    person = person_here(state)
    if person is None:
        return
    heading(
        "Review",
        "Cases for a second look",
        "Images that people disagree about, or whose label is probably wrong. Your decision counts alone; "
        "all answers are kept.",
    )
    search = _look_for_errors(state)
    reviewer(
        state, person, state.workbench.classes.current(), 0 if search is None else search.job.id
    )


def _look_for_errors(state: UiState) -> JobView | None:
    """The last search for likely errors; when it ends, its cases are shown."""
    search = side_job(state, JobKind.ERRORS, which=titled(LOOK))
    if search is not None and search.running:
        return None
    if st.button(
        "Look for likely errors",
        key="review-look",
        help="Compares each label with a model that did not learn it. It takes some seconds.",
    ) and begin(state, JobKind.ERRORS, LOOK, {"do": "errors"}):
        st.rerun()
    if search is None or search.job.state is not JobState.DONE or search.job.started_at is None:
        return search
    found = state.workbench.team.reviews.errors_opened(search.job.started_at)
    words = (
        f"{count(found, 'label')} {'is' if found == 1 else 'are'} probably wrong. "
        "About every second of them is right all the same, so look at each."
        if found
        else "No other label is probably wrong."
    )
    st.success(f"{words} The search was {ago(search.job.started_at, search.now)}.")
    return search
