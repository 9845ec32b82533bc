"""The frame around every page: connection banner, menu of narrow windows, sheet of keys."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.components.mounting import component
from ui.door.settings import DOOR
from ui.state import UiState
from ui.web import browser_version

_STYLE = Path(__file__).with_name("frame.css").read_text(encoding="utf-8")
_frame = component("frame", "frame/frame.js")


def frame(state: UiState) -> None:
    """Draw the frame, before the page itself, so that it is there while a page is slow."""
    st.html(f"<style>{_STYLE}</style>")
    probe = f"{state.routes}/modules/{browser_version()}/shared/keys.js"
    _frame.draw(state, {"probe": probe, "door": state.base + DOOR})
