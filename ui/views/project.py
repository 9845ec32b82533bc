"""The start page: the project in figures, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.core.domain import AUDIT_STRATEGY, Round, RoundState
from alworkbench.project.status import Status
from ui.state import UiState
from ui.views.advice import advice
from ui.views.audit_set import draw_call
from ui.views.next_round import start_round
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
    percent,
)
from ui.views.work import failure, working

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
        st.subheader("Labels by class", anchor=False)
        _classes(status)
    with right:
        st.subheader("Collection", anchor=False)
        facts(_facts(status))
    _history(state.workbench.rounds.all())


def _next_step(state: UiState, status: Status, go: Callable[[str], None]) -> None:
    open_round = status.open_round
    if open_round is not None:
        _open_round(open_round, status.open_answered, go)
    elif status.pool_images == 0 or status.encoded < status.pool_images + status.audit_images:
        st.info(escape_markdown(status.next_step))
    else:
        number = status.rounds_closed + 1
        with st.container(border=True):
            st.write(
                "The model ranks the pool and asks about the images whose labels help it most."
                if number == 1
                else "The model has learned from your labels and can pick the next images."
            )
            start_round(state, f"Start round {number}", go)


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
    if status.audit_accuracy is not None:
        note = f"on {count(status.audit_images, 'audit image')}"
        if status.zero_shot_accuracy is not None:
            note += f"; {percent(status.zero_shot_accuracy)} before any label"
        shown.append(Figure("Accuracy", percent(status.audit_accuracy), note))
    elif status.zero_shot_accuracy is not None:
        shown.append(
            Figure("Accuracy, no labels yet", percent(status.zero_shot_accuracy), "zero-shot")
        )
    else:
        shown.append(Figure("Accuracy", "–", "measured when the first round closes"))
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
        ("Model", status.encoder),
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


def _history(rounds: list[Round]) -> None:
    st.space("small")
    st.subheader("Rounds", anchor=False)
    if not rounds:
        st.caption(
            "Every round is kept with its strategy, seed and time, so that it can be computed again."
        )
        return
    newest_first = list(reversed(rounds))
    st.dataframe(
        {
            "Round": [r.number for r in newest_first],
            "Strategy": [r.strategy for r in newest_first],
            "Images": [r.batch_size for r in newest_first],
            "Ranking took": [f"{r.seconds:.1f} s" for r in newest_first],
            "Seed": [r.seed for r in newest_first],
            "Learner": [
                "zero-shot" if r.learner_id is None else f"no. {r.learner_id}" for r in newest_first
            ],
            "State": ["open" if r.state is RoundState.OPEN else "closed" for r in newest_first],
        },
        hide_index=True,
        alt="Rounds of this project, newest first",
    )
