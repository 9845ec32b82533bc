"""The labelling page: images to label while a round is open, its result when it is closed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    JobKind,
    PersonRole,
    PreparedRound,
    Round,
    RoundCount,
)
from alworkbench.core.errors import WorkbenchError
from alworkbench.project.class_sets import check_sets
from ui.components.labeller import RoundProgress, labeller
from ui.door.visitor import person_here
from ui.state import UiState
from ui.views.follow import follow
from ui.views.handing_over import failed_preparation, last_outcome
from ui.views.next_round import start_round
from ui.views.outcome import outcome
from ui.views.parts import ROW, count, escape_markdown, heading
from ui.views.teammates import teammates
from ui.views.work import asked_by, failure, working


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page for the person who is signed in; rounds are opened and closed by managers."""
    person = person_here(state)
    if person is None or working(state):
        return
    failure(state)
    follow(state)
    manages = person.role.includes(PersonRole.MANAGER)
    round_ = state.workbench.rounds.current()
    if round_ is None:
        _between_rounds(state, go, manages)
        return
    count_ = state.workbench.rounds.count(round_.id)
    progress = RoundProgress(count_.answers, count_.wanted)
    if round_.strategy == AUDIT_STRATEGY:
        st.caption(
            "Audit set: randomly drawn images, without suggestions. Your answers measure the model; it "
            "never learns from them."
        )
    labeller(state, person, round_, progress, state.workbench.classes.current(), on_change=_redraw)
    if round_.class_sets is not None:
        st.caption(f"● {round_.class_sets.words}")
    teammates(state, person.name)
    last_outcome(state, round_)
    if manages:
        failed_preparation(state, round_)
    if not manages:
        if progress.complete:
            st.info(
                "All images of this round are answered. A manager closes it and opens the next."
            )
    elif progress.complete:
        _closing(state, round_)
    else:
        _closing_early(state, round_, count_)


def _redraw() -> None:
    """Nothing to do: the component has already caused the rerun."""


def _between_rounds(state: UiState, go: Callable[[str], None], manages: bool) -> None:
    if not manages:
        heading(
            "Label", "No round is open", "A manager opens the next round. This page shows it then."
        )
        return
    closed = state.workbench.rounds.all()
    if closed:
        heading(f"Round {closed[-1].number}", "The round is closed")
        metrics = state.workbench.measurements.all()
        # A round of the audit set changed nothing: there is no before.
        outcome(metrics[-1:] if closed[-1].strategy == AUDIT_STRATEGY else metrics)
        check = check_sets(closed[-1], state.workbench.rounds.items(closed[-1].id))
        if check is not None:
            st.caption(check.words)
        st.space("small")
        start_round(state, "Start the next round", go)
        return
    heading("Label", "No round is open", "A round is a batch of images that the model asks about.")
    status = state.workbench.status()
    waiting = status.pool_images + status.audit_images - status.encoded
    if status.pool_images == 0:
        st.info("The project has no images yet. Add some with `alworkbench import FOLDER`.")
    elif waiting > 0:
        st.info(
            f"{count(waiting, 'image')} not encoded yet. Run `alworkbench encode`; "
            f"it goes on where it stopped."
        )
    else:
        start_round(state, "Start the first round", go)


def _closing(state: UiState, round_: Round) -> None:
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
            state.workbench.prepared.go_on(force=True)
        except WorkbenchError as problem:
            st.error(escape_markdown(str(problem)))
            return
        order = {"do": "learn", "round_id": round_.id}
        title = f"learn from round {round_.number}"
        state.jobs.start(JobKind.LEARN, title, asked_by(state), order)
        st.rerun()
    if st.button("Close the round, learn, and choose anew", key="close-round"):
        _close(state, round_)


def _closing_early(state: UiState, round_: Round, so_far: RoundCount) -> None:
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
    state.jobs.start(
        JobKind.LEARN, f"close round {round_.number}", asked_by(state), {"do": "close"}
    )
    st.rerun()
