"""The start page: the project in figures, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, Round
from alworkbench.project.next_step import Step
from alworkbench.project.status import Status
from ui.state import UiState
from ui.unbroken import percent
from ui.views.advice import advice
from ui.views.audit_set import draw_call
from ui.views.next_round import next_round
from ui.views.parts import (
    ROW,
    Bar,
    Figure,
    bars,
    count,
    escape_markdown,
    facts,
    figures,
    heading,
)
from ui.views.work import failure, working

SET_UP = {
    "import": "Import",
    "export": "Export",
    "support-set": "Support set",
    "people": "People",
    "settings": "Settings",
}
"""Pages that the overview leads to."""
MOST_NAMES = 12
"""At most so many names are listed; of the others, their number."""


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading("Project", state.workbench.session.settings().name)
    if working(state):
        return  # the figures below are about to change
    failure(state)
    status = state.workbench.status()
    _next_step(state, status, go)
    if status.open_round is None and status.encoded > 0 and status.has_posterior:
        if status.rounds_closed:
            advice(state)
        if status.audit_images == 0:
            draw_call(state, go, key="start-audit")
    _unknown_names(status)
    st.space("small")
    figures(_figures(status))
    st.space("small")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.header("Labels by class", anchor=False)
        _classes(status)
    with right:
        st.header("Collection", anchor=False)
        facts(_facts(status))
    _set_up(go)
    if status.rounds_closed and st.button("See all rounds", key="see-rounds", type="tertiary"):
        go("rounds")


def _set_up(go: Callable[[str], None]) -> None:
    """Where the project is set up."""
    st.header("Set-up", anchor=False)
    with st.container(horizontal=True):
        for page, title in SET_UP.items():
            if st.button(title, key=f"project-to-{page}"):
                go(page)


def _next_step(state: UiState, status: Status, go: Callable[[str], None]) -> None:
    if status.open_round is not None and status.step in (Step.LABEL, Step.CLOSE):
        _open_round(status.open_round, status.open_answered, go)
    else:
        next_round(state, status, go, manages=True)


def _open_round(round_: Round, answered: int, go: Callable[[str], None]) -> None:
    total = round_.batch_size
    if answered < total:
        words = f"Round {round_.number} is open: {answered} of {count(total, 'image')} answered."
        label = "Go on labelling" if answered else "Start labelling"
    else:
        words = f"Round {round_.number} is answered; the model can learn from it."
        if round_.strategy == AUDIT_STRATEGY:
            words = (
                f"Round {round_.number} of the audit set is answered; the model can be measured."
            )
        label = "Close the round"
    with st.container(border=True, **ROW):
        st.write(words)
        if st.button(label, type="primary", key="open-label"):
            go("label")


def _unknown_names(status: Status) -> None:
    """Class names that the model does not know and that have no label yet."""
    labels = dict(zip(status.classes, status.labels_per_class, strict=True))
    names = [name for name in status.unknown_classes if not labels[name]]
    if names:
        st.info(escape_markdown(unknown_names(names)), icon=":material/school:")


def unknown_names(names: Sequence[str]) -> str:
    """Say which names the model does not know, in two sentences."""
    shown = ", ".join(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown += f" and {count(len(names) - MOST_NAMES, 'more name')}"
    if len(names) == 1:
        return f"The model does not know this name: {shown}. Its first labels help most."
    return f"The model does not know these names: {shown}. Their first labels help most."


def _figures(status: Status) -> list[Figure]:
    shown = [
        Figure("Images in the pool", f"{status.pool_images:,}"),
        Figure(
            "Labelled",
            f"{status.labels:,}",
            f"{status.skipped:,} skipped or unclear" if status.skipped else "",
        ),
        Figure("Rounds closed", f"{status.rounds_closed:,}"),
    ]
    if status.audit_accuracy is not None and status.labels:
        note = f"on {count(status.audit_images, 'audit image')}"
        if status.zero_shot_accuracy is not None:
            note += f"; {percent(status.zero_shot_accuracy)} before any label"
        shown.append(Figure("Accuracy", percent(status.audit_accuracy), note))
    elif status.zero_shot_accuracy is not None:
        shown.append(
            Figure(
                "Accuracy, no labels yet",
                percent(status.zero_shot_accuracy),
                f"on {count(status.audit_images, 'audit image')}",
            )
        )
    else:
        shown.append(
            Figure(
                "Accuracy",
                "–",
                "measured when the first round closes"
                if status.audit_images
                else "not measured: the project has no audit set",
            )
        )
    return shown


def _classes(status: Status) -> None:
    if not any(status.labels_per_class):
        st.caption("No labels yet. They are counted here as you give them.")
    bars(
        [
            Bar(name, float(number), f"{number:,}")
            for name, number in zip(status.classes, status.labels_per_class, strict=True)
        ]
    )


def _facts(status: Status) -> list[tuple[str, str]]:
    total = status.pool_images + status.audit_images
    return [
        ("Model", status.model),
        ("Uncertainty", "posterior fitted" if status.has_posterior else "no posterior yet"),
        ("Encoded", f"{status.encoded:,} of {total:,}"),
        ("Audit set", count(status.audit_images, "image") if status.audit_images else "none"),
        (
            "Quarantine",
            f"{count(status.quarantined, 'unreadable file')}, listed by a new import of the folder"
            if status.quarantined
            else "empty: every file could be read",
        ),
    ]
