"""The page of the grid: the images of the open round that are this person's to answer, many at once."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, Person, Round
from ui.components.answer_grid import answer_grid
from ui.components.labeller import RoundProgress
from ui.state import UiState
from ui.views.label import draw_round, redraw
from ui.views.parts import heading


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page for the person who is signed in."""

    def grid(state: UiState, person: Person, round_: Round, progress: RoundProgress) -> None:
        if round_.strategy != AUDIT_STRATEGY:
            classes = state.workbench.classes.current()
            answer_grid(state, person, round_, progress, classes, on_change=redraw)
            return
        heading(
            "Grid",
            "Audit set: one image at a time",
            "Images of the audit set measure the model, so each is looked at alone. Answer them on the "
            "page Label.",
        )
        if st.button("Answer the audit set", key="to-label", type="primary"):
            go("label")

    draw_round(state, go, grid)
