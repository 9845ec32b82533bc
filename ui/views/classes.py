"""The page of classes: a draft of the list, templates compared, prompts tuned, and earlier versions."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.components.classes import class_draft
from ui.state import UiState
from ui.views.class_history import class_history
from ui.views.follow import follow
from ui.views.parts import heading
from ui.views.prompt_tuning import prompt_tuning
from ui.views.template_choice import template_choice
from ui.views.work import failure, working

PROPOSED = "classes-proposed"
"""What the lower part of the page puts into the draft."""


def render(state: UiState, _go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "Set-up",
        "Classes and prompts",
        "What people may answer, and what the model reads of it. Labels stay, whatever you change.",
    )
    if working(state):
        return
    failure(state)
    class_draft(state, st.session_state.get(PROPOSED), lambda: None)
    template_choice(state, propose)
    prompt_tuning(state)
    class_history(state, propose)
    follow(state)


def propose(**proposal: object) -> None:
    """Put templates or an earlier version into the draft at the top of the page."""
    before = st.session_state.get(PROPOSED)
    number = 1 if before is None else before["number"] + 1
    st.session_state[PROPOSED] = {"number": number, **proposal}
