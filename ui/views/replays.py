"""Rounds computed again from their record: started, watched, and what came out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.project.replay_file import KeptReplay
from alworkbench.project.round_history import RoundReport
from ui.state import UiState
from ui.views.parts import FORM_ROW, ROW, count, escape_markdown
from ui.views.side_job import side_job
from ui.views.times import ago, exact
from ui.views.work import begin


def replays(state: UiState, reports: Sequence[RoundReport]) -> None:
    """Draw the newest replay, and a button that starts another one."""
    if not reports:
        return
    st.header("Replay", anchor=False)
    st.caption(
        "A replay computes the rounds again from their record: the same labels, seeds and class lists must "
        "give the same images. It changes nothing of the project. People go on meanwhile."
    )
    job = side_job(state, JobKind.REPLAY)
    if job is not None and job.running:
        return
    kept = state.workbench.rounds.newest_replay()
    if kept is not None:
        _result(state, kept)
    numbers = [each.round.number for each in reports]
    with st.container(**FORM_ROW):
        until = st.selectbox(
            "Rounds to compute again",
            [None, *numbers],
            format_func=lambda n: "All rounds" if n is None else f"Up to round {n}",
            key="replay-until",
        )
        if st.button("Replay", key="start-replay"):
            order: dict[str, object] = {"do": "replay"}
            title = "replay all rounds"
            if until is not None:
                order["until"] = until
                title = f"replay the rounds up to round {until}"
            if begin(state, JobKind.REPLAY, title, order):
                st.rerun()


def replay_line(state: UiState, go: Callable[[str], None]) -> None:
    """Draw in one line what the newest replay found, and the way to the page where it stands in full."""
    kept = state.workbench.rounds.newest_replay()
    with st.container(**ROW):
        if kept is None:
            st.caption(
                "Whether the rounds can be computed again from their record was not tried yet."
            )
        else:
            same = count(kept.rounds, "round")
            found = (
                f"{same} {'is' if kept.rounds == 1 else 'are'} identical"
                if kept.identical
                else f"{same} of {kept.of} are identical"
            )
            when = ago(kept.computed_at, state.workbench.session.now())
            st.caption(f"Computed again from their record {when}: {found}.")
        if st.button("Replay", key="to-replay", type="tertiary"):
            go("rounds")


def _result(state: UiState, kept: KeptReplay) -> None:
    when = f"{ago(kept.computed_at, state.workbench.session.now())} ({exact(kept.computed_at)})"
    by = f"Computed {when} for {kept.asked_by}, in {kept.seconds:,.0f} s."
    if kept.identical:
        learners = count(kept.learners, "learner")
        st.success(
            escape_markdown(
                f"Identical: {count(kept.rounds, 'round')} with {count(kept.images, 'image')} asked the same "
                f"images again, and {learners} learned from the same labels. {by}"
            )
        )
        return
    why = " ".join(f"Likely reason: {each}." for each in kept.why)
    now = (kept.found or "none")[:16]
    images = f" Recorded: image {kept.image[:16]}; now: {now}." if kept.image else ""
    st.warning(
        escape_markdown(
            f"{count(kept.rounds, 'round')} of {kept.of} are identical. First difference: {kept.difference}."
            f"{images} {why} {by}"
        )
    )
