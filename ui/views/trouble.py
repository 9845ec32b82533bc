"""A page that cannot be drawn: the user is told what to do, and never sees a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.unexpected import keep_trace, what_to_do
from ui.door.visitor import person_here
from ui.state import UiState
from ui.views.parts import escape_markdown, with_commands

_log = logging.getLogger(__name__)

Go = Callable[[str], None]
Render = Callable[[UiState, Go], None]


def draw_calmly(render: Render, state: UiState, go: Go, needed: PersonRole) -> None:
    """Draw a page for a person whose role includes `needed`, read from the store at this drawing.

    An error is shown as a sentence with what to do; an unexpected one is kept in a file.
    Streamlit ends and repeats a drawing by exceptions that are no `Exception`: they pass.
    """
    try:
        person = person_here(state)
        if person is None or not person.role.includes(needed):
            st.error(f"Only a {needed.value} sees this page.")
            return
        render(state, go)
    except WorkbenchError as error:
        st.error(with_commands(str(error)), title="This page cannot be shown now")
    except Exception as error:
        _log.exception("a page could not be drawn")
        words = what_to_do(
            keep_trace(error, state.workbench.session.folder.path), "Load the page again"
        )
        st.error(
            f"An unexpected error occurred. Your labels are kept. {escape_markdown(words)}",
            title="This page cannot be shown now",
        )
