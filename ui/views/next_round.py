"""Between rounds: what the project needs next, said in one sentence, and a button that leads to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.errors import ProjectReadOnly
from alworkbench.project.next_step import Step
from alworkbench.project.status import Status
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, with_commands
from ui.views.work import begin

Go = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lead:
    """What is said where no round can be opened yet, and where a button leads."""

    words: str
    page: str
    button: str


def read_only(state: UiState) -> bool:
    """Say that the project cannot be written, where this is so."""
    if not state.workbench.session.read_only:
        return False
    st.warning(with_commands(str(ProjectReadOnly(state.workbench.session.folder.path))))
    return True


def next_round(state: UiState, status: Status, go: Go, manages: bool) -> None:
    """Draw what leads to the next round: a button that starts it, or what is missing."""
    if read_only(state):
        return
    if not manages:
        st.info(waiting_words(status))
        return
    if status.step is not Step.ASK:
        lead_on(status, go)
        return
    number = status.rounds_closed + 1
    start_round(state, "Start the first round" if number == 1 else f"Start round {number}", go)


def waiting_words(status: Status) -> str:
    """What an annotator is told while no round is open."""
    if status.step in (Step.IMPORT, Step.IMPORT_MORE):
        return "No images are left to label. A manager adds more, and this page shows them then."
    return "A manager opens the next round. This page shows it then."


def lead_on(status: Status, go: Go) -> None:
    """Say in one sentence what is missing, and offer it."""
    lead = lead_of(status)
    if lead is None:  # no page does it: the sentence names the command
        st.info(escape_markdown(f"{status.next_step}."))
        return
    with st.container(border=True, **ROW):
        st.write(escape_markdown(lead.words))
        if st.button(lead.button, type="primary", key=f"lead-{lead.page}"):
            go(lead.page)
    if status.step is Step.IMPORT_MORE and st.button(
        "Export the labels", key="lead-export", type="tertiary"
    ):
        go("export")


def lead_of(status: Status) -> Lead | None:
    """What is missing, and the page that mends it; None where no page does."""
    waiting = status.pool_images + status.audit_images - status.encoded
    match status.step:
        case Step.IMPORT:
            return Lead("The project has no images yet.", "import", "Import images")
        case Step.IMPORT_MORE:
            every = (
                f"Every one of the {count(status.pool_images, 'image')} of the pool has an answer."
            )
            return Lead(
                f"{every} Import more, or export the labels.", "import", "Import more images"
            )
        case Step.ENCODE:
            words = f"{count(waiting, 'image')} not encoded yet: the model has not looked at them."
            return Lead(
                f"{words} Encoding goes on where it stopped.", "import", "Encode the images"
            )
        case _:
            return None


def start_round(state: UiState, label: str, go: Go) -> None:
    """Draw a button that ranks the pool as the project is set and shows the labelling page."""
    settings = state.workbench.session.settings()
    with st.container(border=True):
        with st.container(**ROW):
            st.write(
                f"The model chooses {count(settings.batch_size, 'image')} by the strategy "
                f"{escape_markdown(settings.strategy)}."
            )
            pressed = st.button(label, type="primary", key="start-round")
        if st.button(
            "Choose otherwise, see the cost, or preview", key="to-rounds", type="tertiary"
        ):
            go("rounds")
    if pressed:
        start_as_set(state, go)


def start_as_set(state: UiState, go: Go) -> None:
    """Let the pool be ranked as the project is set, and show the labelling page."""
    if begin(state, JobKind.RANK, "rank the pool", {"do": "propose"}):
        go("label")
