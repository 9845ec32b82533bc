"""What people see of a hand-over between rounds, below the desk: what the last round bought, what failed."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.domain import JobKind, Round
from alworkbench.project.round_history import bought
from ui.state import UiState
from ui.views.outcome import outcome_line
from ui.views.parts import ROW, escape_markdown
from ui.views.work import begin

_SEEN = "outcome-seen"


def last_outcome(state: UiState, current: Round) -> None:
    """One line when the round before was learned from after its hand-over, until the person dismisses it."""
    before = current.settings.get("prepared", {}).get("after_round")
    if before is None or st.session_state.get(_SEEN) == before:
        return
    closed = [each for each in state.workbench.rounds.all() if each.number == before]
    if not closed:
        return
    line = outcome_line(bought(closed[0], state.workbench.measurements.all()), closed[0])
    if line is None:
        return
    with st.container(border=True, **ROW):
        st.write(escape_markdown(line))
        if st.button("Dismiss", type="tertiary", key="dismiss-outcome"):
            st.session_state[_SEEN] = before
            st.rerun()


def failed_preparation(state: UiState, current: Round) -> None:
    """Why the next round could not be prepared, and a button that tries it again."""
    failed = state.workbench.prepared.failed()
    if failed is None:
        return
    st.warning(
        f"The next round could not be prepared: {escape_markdown(failed.reason or failed.state.value)} "
        f"People can go on with round {current.number}. When it is closed, they wait until the next images "
        f"are chosen."
    )
    if st.button("Prepare it again", key="prepare-again"):
        title = f"prepare the round after round {current.number}"
        if begin(state, JobKind.PREPARE, title, {"do": "prepare"}):
            st.rerun()
