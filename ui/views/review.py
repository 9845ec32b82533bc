"""The page of a reviewer: disagreements, likely errors and second opinions, one image at a time.

Unless the reviewer says otherwise, the answers of others and the opinion of the model are hidden until the
reviewer has said what the image is, so that they do not pull this opinion. Each decision is an answer of its
own; nothing is removed. Cases and decisions go by `ui.routes.reviews`: none passes through a rerun.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.errors import WorkbenchError
from ui.components.reviewer import reviewer
from ui.door.visitor import person_here
from ui.state import UiState
from ui.views.parts import count, escape_markdown, heading

_SEARCHES = "review-searches"


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
    _look_for_errors(state)
    searches = st.session_state.get(_SEARCHES, 0)
    reviewer(state, person, state.workbench.classes.current(), searches)


def _look_for_errors(state: UiState) -> None:
    if st.button(
        "Look for likely errors",
        key="review-look",
        help="Compares each label with a model that did not learn it. It takes some seconds.",
    ):
        try:
            with st.spinner("Leaving each label out"):
                found = state.workbench.team.reviews.open_label_errors()
        except WorkbenchError as refused:
            st.error(escape_markdown(str(refused)))
            return
        st.session_state[_SEARCHES] = st.session_state.get(_SEARCHES, 0) + 1
        st.success(
            f"{count(found, 'label')} {'is' if found == 1 else 'are'} probably wrong. "
            "About every second of them is right all the same, so look at each."
            if found
            else "No other label is probably wrong."
        )
