"""Closing a round: complete, early, or with the next round ready; what happens is said before."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, JobKind, PreparedRound, Round, RoundCount
from alworkbench.core.errors import WorkbenchError
from ui.state import UiState
from ui.views.parts import ROW, count, with_commands
from ui.views.work import asked_by, begin


def closing(state: UiState, round_: Round, so_far: RoundCount) -> None:
    """Draw how the open round can be closed now, for a manager."""
    if so_far.answers >= so_far.wanted:
        _complete(state, round_)
    else:
        _early(state, round_, so_far)


def _complete(state: UiState, round_: Round) -> None:
    audit = round_.strategy == AUDIT_STRATEGY
    with st.container(border=True, **ROW):
        ready = None if audit else state.workbench.prepared.kept()
        if ready is not None:
            _go_on(state, round_, ready)
            return
        st.write(
            "All images of this round are answered. The model is measured on them and learns nothing."
            if audit
            else "All images of this round are answered. The model learns from all labels and is measured."
        )
        button = "Close the round and measure" if audit else "Close the round and learn"
        if st.button(button, type="primary", key="close-round"):
            _close(state, round_)


def _go_on(state: UiState, round_: Round, ready: PreparedRound) -> None:
    of = ready.batch.settings["prepared"]
    st.write(
        f"All images of this round are answered, and the next round is ready. Its images were chosen when "
        f"{of['answered']} of {of['asked']} answers were given. The model learns from all labels while you "
        f"go on."
    )
    if st.button("Close the round and go on", type="primary", key="go-on"):
        try:
            state.workbench.prepared.go_on(force=True, by=asked_by(state))
        except WorkbenchError as problem:
            st.error(with_commands(str(problem)))
            return
        order = {"do": "learn", "round_id": round_.id}
        if begin(state, JobKind.LEARN, f"learn from round {round_.number}", order):
            st.rerun()
    if st.button("Close the round, learn, and choose anew", key="close-round"):
        _close(state, round_)


def _early(state: UiState, round_: Round, so_far: RoundCount) -> None:
    with st.popover("Close the round early", type="tertiary"):
        wants = "still wants answers" if so_far.items_left == 1 else "still want answers"
        left = f"{count(so_far.items_left, 'image')} {wants}."
        st.write(
            f"{left} Those without one stay in the audit set, and the next round of the audit set asks them "
            f"first."
            if round_.strategy == AUDIT_STRATEGY
            else f"{left} Those without one return to the pool, and the model learns from the given answers."
        )
        if st.button("Close it as it is", key="close-early"):
            _close(state, round_)


def _close(state: UiState, round_: Round) -> None:
    if begin(state, JobKind.LEARN, f"close round {round_.number}", {"do": "close"}):
        st.rerun()
