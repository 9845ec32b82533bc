"""Starting a round: one button, and the choice of strategy and size."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.acquisition.strategy_cards import CARDS
from alworkbench.core.domain import JobKind
from ui.state import UiState
from ui.views.parts import escape_markdown
from ui.views.work import asked_by

MAX_BATCH = 500


def start_round(state: UiState, label: str, go: Callable[[str], None]) -> None:
    """Draw the button and its choices. The button ranks the pool and shows the labelling page."""
    workbench = state.workbench
    settings = workbench.session.settings()
    known = {card.name: card.summary for card in CARDS}
    names = list(known)
    pressed = st.button(label, type="primary", key="start-round")
    with st.expander("Choose how images are picked"):
        strategy = st.selectbox(
            "Strategy",
            names,
            index=names.index(settings.strategy) if settings.strategy in known else 0,
            key="round-strategy",
        )
        st.caption(escape_markdown(known.get(strategy, "")))
        batch = st.number_input(
            "Images in the round",
            min_value=1,
            max_value=max(MAX_BATCH, settings.batch_size),
            value=settings.batch_size,
            step=1,
            key="round-batch",
            help="With few images per round, the model learns from your labels sooner.",
        )
    if pressed:
        size = int(batch)
        order = {"do": "propose", "strategy": strategy, "images": size}
        state.jobs.start(JobKind.RANK, "rank the pool", asked_by(state), order)
        go("label")
