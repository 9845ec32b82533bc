"""The versions of the class list on the page of classes, and the way back to one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.state import UiState
from ui.views.parts import count


def class_history(state: UiState, propose: Callable[..., None]) -> None:
    """Draw the versions, newest first. Going back puts an earlier one into the draft; nothing is stored."""
    st.header("Versions", anchor=False)
    found = state.workbench.classes.history()[::-1]
    st.dataframe(
        {
            "Version": [each.number for each in found],
            "Stored (UTC)": [f"{each.stored_at:%Y-%m-%d %H:%M}" for each in found],
            "Classes": [each.classes for each in found],
            "What changed": [" ".join(each.changes) or "The first version." for each in found],
        },
        hide_index=True,
        alt="Versions of the class list, and what changed in each",
        column_config={"What changed": st.column_config.TextColumn(width="large")},
    )
    if len(found) < 2:
        st.caption("Each change makes a new version here, and you can go back to any of them.")
        return
    earlier = [each.number for each in found[1:]]
    classes = {each.number: each.classes for each in found}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Earlier version",
            earlier,
            format_func=lambda n: f"Version {n} ({count(classes[n], 'class', 'classes')})",
            key="earlier-version",
        )
        st.button(
            "Put it into the draft",
            key="go-back",
            on_click=propose,
            kwargs={"version": chosen},
            help="You see what changes before anything is stored. Later classes would be retired.",
        )
