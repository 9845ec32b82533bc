"""Who else labels now: initials, and how many images each holds. Never which image, nor an answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from alworkbench.core.domain import Item
from alworkbench.project.team import held_images
from ui.state import UiState
from ui.views.parts import count, escape_markdown

_LOOK_SECONDS = 10.0


@st.fragment(run_every=_LOOK_SECONDS)
def teammates(state: UiState, name: str) -> None:
    """A line that is drawn again every few seconds; nothing while nobody else holds an image."""
    current = state.workbench.rounds.current()
    if current is None:
        return
    held = held_by_others(
        state.workbench.rounds.items(current.id), name, state.workbench.session.now()
    )
    if held:
        listed = ", ".join(f"{initials(who)} ({count(n, 'image')})" for who, n in held.items())
        st.caption(escape_markdown(f"Others label now: {listed}"))


def held_by_others(items: Sequence[Item], name: str, now: datetime) -> dict[str, int]:
    """Person -> images that this person holds and has not answered, by name; without `name`."""
    return {who: held for who, held in held_images(items, now).items() if who != name}


def initials(name: str) -> str:
    """The first letters of at most three words of a name."""
    return "".join(word[0].upper() for word in name.split()[:3]) or "?"
