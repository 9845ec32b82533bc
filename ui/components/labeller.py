"""The labelling component: one image, its answers, their keys; posts each answer to our routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from alworkbench.core.domain import ClassList, Person, Round
from ui.state import UiState

_HERE = Path(__file__).parent
# One module for the browser: classes first, the default export last.
_SCRIPTS = (
    "keys.js",
    "tab.js",
    "server.js",
    "outbox.js",
    "queue.js",
    "tally.js",
    "pictures.js",
    "screen.js",
    "labeller.js",
)

_mount = st.components.v2.component(
    "alworkbench_labeller",
    html='<div class="alw" data-labeller></div>',
    css=(_HERE / "labeller.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """How far a round has been answered."""

    answered: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether every item has an answer."""
        return self.answered >= self.total


def labeller(
    state: UiState,
    person: Person,
    round_: Round,
    progress: RoundProgress,
    classes: ClassList,
    on_change: Callable[[], None],
) -> None:
    """Draw the desk of an open round.

    `on_change` is called when the round becomes complete, or open again after a take-back; single
    labels never reach the page. The key is the same on every rerun, so the desk stays mounted.
    """
    _mount(
        key="labeller",
        data=component_data(state, person, round_, progress, classes),
        on_changed_change=on_change,
    )


def component_data(
    state: UiState, person: Person, round_: Round, progress: RoundProgress, classes: ClassList
) -> dict[str, Any]:
    """What the browser is told. `owner` keeps unsent answers of two people in one browser apart."""
    sets, keys = round_.class_sets, classes.keys
    return {
        "base": state.routes,
        "owner": f"person-{person.id}",
        "project": state.project_key,
        "round": {
            "id": round_.id,
            "number": round_.number,
            "calibration": round_.calibration.words,
            # Says what the sets promise; null where the round has none, and nothing is marked.
            "likely": None if sets is None else {"level": sets.level, "words": sets.words},
        },
        "progress": {
            "round_id": round_.id,
            "answered": progress.answered,
            "total": progress.total,
        },
        "complete": progress.complete,
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "key": keys[position],
                "colour": c.colour,
                "description": c.description,
                "examples": [f"{state.routes}/image/{content}" for content in c.examples],
            }
            for position in classes.shown_order
            for c in (classes.classes[position],)
        ],
    }
