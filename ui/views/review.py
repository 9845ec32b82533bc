"""The page of a reviewer: images that people disagree about, one by one.

The answers of others are hidden until the reviewer has said what the image is, so that they do not pull
this opinion. Each decision is an answer of its own; nothing is removed.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import ClassList, Label, ReviewReason
from alworkbench.core.errors import WorkbenchError
from alworkbench.inputs.rendition import DESK
from alworkbench.project.reviews import ReviewCase
from ui.door.visitor import person_here
from ui.routes.pictures import picture_address
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, heading

CANNOT_TELL = "Cannot tell"
_SAID = "review-said"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    person = person_here(state)
    if person is None:
        return
    reviews = state.workbench.team.reviews
    reviews.open_disagreements()
    cases = reviews.cases()
    heading(
        "Review",
        f"{count(len(cases), 'open case')}" if cases else "No open cases",
        "Images that people disagree about, or whose label is probably wrong. Your decision counts alone; "
        "all answers are kept.",
    )
    if said := st.session_state.pop(_SAID, None):
        st.success(escape_markdown(said))
    if cases:
        _case(state, person.name, cases[0])


def _case(state: UiState, name: str, case: ReviewCase) -> None:
    classes = state.workbench.classes.current()
    key = f"review-{case.review.id}"
    left, right = st.columns([3, 2], gap="large")
    with left:
        # The address holds a hash only, so nothing in it comes from a user.
        address = picture_address(state, case.hash, DESK)
        st.html(
            f'<img src="{address}" alt="The image of case {case.review.id}" '
            f'style="max-width:100%;max-height:70vh">'
        )
    with right:
        opinion = st.session_state.get(key)
        if opinion is None:
            chosen = st.radio(
                "What do you see?", [*classes.names, CANNOT_TELL], index=None, key=f"{key}-choice"
            )
            if st.button("Show what others answered", disabled=chosen is None, key=f"{key}-show"):
                st.session_state[key] = chosen
                st.rerun()
            return
        st.write(f"You see: **{escape_markdown(opinion)}**")
        st.write(_why(case))
        for label in case.history:
            st.write("- " + escape_markdown(_words(label, classes)))
        note = st.text_input("Note", max_chars=500, key=f"{key}-note") or None
        with st.container(**ROW):
            if st.button("Decide so", type="primary", key=f"{key}-decide"):
                decided = None if opinion == CANNOT_TELL else opinion
                _do(
                    lambda: state.workbench.team.reviews.resolve(
                        case.review.id, name, decided, note
                    ),
                    f"Case {case.review.id} is resolved: {opinion}.",
                )
            if st.button("Leave the answers", key=f"{key}-dismiss"):
                _do(
                    lambda: state.workbench.team.reviews.dismiss(case.review.id, name, note),
                    f"Case {case.review.id} is dismissed; the answers stay.",
                )
            if st.button("Look again", type="tertiary", key=f"{key}-again"):
                del st.session_state[key]
                st.rerun()


def _why(case: ReviewCase) -> str:
    if case.review.reason is ReviewReason.DISAGREEMENT or case.review.probability is None:
        return "People gave different classes:"
    return (
        f"A model that did not see the label gives it {100 * case.review.probability:.0f} %. "
        f"The answers so far:"
    )


def _words(label: Label, classes: ClassList) -> str:
    said = label.kind.value.replace("_", " ")
    if label.class_id is not None:
        said = classes.given_names.get(label.class_id, "a class that is gone")
    late = ", too late" if label.late is not None else ""
    return f"{label.annotator}: {said} ({label.recorded_at:%Y-%m-%d %H:%M} UTC{late})"


def _do(change: Callable[[], object], said: str) -> None:
    """Close the case and draw the page again; a refusal is shown."""
    try:
        change()
    except WorkbenchError as refused:
        st.error(escape_markdown(str(refused)))
        return
    st.session_state[_SAID] = said
    st.rerun()
