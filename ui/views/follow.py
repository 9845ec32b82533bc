"""An open page notices that a round was opened, closed or prepared, and that a job began or ended."""

from __future__ import annotations

import streamlit as st

from ui.markers import Marker
from ui.state import UiState

_LOOK_SECONDS = 2.0


def follow(state: UiState) -> None:
    """Draw nothing, and draw the page again when rounds or jobs are no longer what they are now."""
    _look(state, state.markers.now())


@st.fragment(run_every=_LOOK_SECONDS)
def _look(state: UiState, seen: Marker) -> None:
    if state.markers.lately() != seen:
        st.rerun()
