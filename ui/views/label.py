"""The labelling page: images to label while a round is open, its result when it is closed.

The page of the grid is the same page with many images at once: see `draw_round`.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, Person, PersonRole, Round
from ui.components.labeller import RoundProgress, labeller
from ui.door.visitor import person_here
from ui.state import UiState
from ui.views.closing import closing
from ui.views.follow import follow
from ui.views.handing_over import failed_preparation, last_outcome
from ui.views.next_round import next_round, read_only
from ui.views.outcome import last_result
from ui.views.parts import caption, heading
from ui.views.teammates import teammates
from ui.views.work import failure, working

RoundWork = Callable[[UiState, Person, Round, RoundProgress], None]
"""Draws how a person answers the images of an open round."""


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page for the person who is signed in; rounds are opened and closed by managers."""
    draw_round(state, go, _desk)


def draw_round(state: UiState, go: Callable[[str], None], work: RoundWork) -> None:
    """Draw the open round with `work` for the person who is signed in, or what comes between rounds."""
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
    if read_only(state):
        return
    count_ = state.workbench.rounds.count(round_.id)
    progress = RoundProgress(count_.answers, count_.wanted)
    work(state, person, round_, progress)
    teammates(state, person.name)
    last_outcome(state, round_)
    if manages:
        failed_preparation(state, round_)
    if not manages:
        if progress.complete:
            st.info(
                "All images of this round are answered. A manager closes it and opens the next."
            )
    else:
        closing(state, round_, count_)


def _desk(state: UiState, person: Person, round_: Round, progress: RoundProgress) -> None:
    """One image after the other."""
    if round_.strategy == AUDIT_STRATEGY:
        caption(
            "Audit set: randomly drawn images, without suggestions. Your answers measure the model; it "
            "never learns from them."
        )
    labeller(state, person, round_, progress, state.workbench.classes.current(), on_change=redraw)
    if round_.class_sets is not None:
        caption(f"● {round_.class_sets.words}")


def redraw() -> None:
    """Nothing to do: the component has already caused the rerun."""


def _between_rounds(state: UiState, go: Callable[[str], None], manages: bool) -> None:
    closed = state.workbench.rounds.all()
    if manages and closed:
        heading(f"Round {closed[-1].number}", "The round is closed")
        last_result(state, closed[-1])
        st.space("small")
    else:
        heading(
            "Label", "No round is open", "A round is a batch of images that the model asks about."
        )
    next_round(state, state.workbench.status(), go, manages)
