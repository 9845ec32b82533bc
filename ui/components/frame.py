"""The frame around every page: connection banner, menu of narrow windows, sheet of keys, and the address."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.components.mounting import component
from ui.door.settings import DOOR
from ui.projects import Projects
from ui.state import PREFIX
from ui.web import browser_version

_STYLE = Path(__file__).with_name("frame.css").read_text(encoding="utf-8")
_frame = component("frame", "frame/frame.js")


def frame(projects: Projects, key: str | None, leave: str | None = None) -> None:
    """Draw the frame. It is drawn after the page, which may have set the address to leave for.

    `key` is the key of the project that the frame writes into the address; None for none. `leave` is an
    address that the browser loads in place of this page; None to stay. To show another project, the browser
    always loads a new page, so that the tab keeps nothing of the project before.
    """
    st.html(f"<style>{_STYLE}</style>")
    data = {
        "probe": f"{projects.base}{PREFIX}/modules/{browser_version()}/shared/keys.js",
        "door": projects.base + DOOR,
        "project": key,
        "leave": leave,
    }
    _frame.draw(projects, data)
