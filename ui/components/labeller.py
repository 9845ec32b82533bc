"""The labelling component: one image, its answers, their keys; posts each answer to our routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alworkbench.core.domain import ClassList, Person, Round
from alworkbench.inputs.rendition import SIDES, THUMBNAIL
from ui.components.mounting import component
from ui.routes.pictures import picture_address
from ui.state import UiState

_desk = component("labeller", "desk/desk.js")


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
    labels never reach the page.
    """
    data = component_data(state, person, round_, progress, classes)
    _desk.draw(state, data, on_changed_change=on_change)


def component_data(
    state: UiState, person: Person, round_: Round, progress: RoundProgress, classes: ClassList
) -> dict[str, Any]:
    """What the browser is told. `owner` keeps unsent answers of two people in one browser apart."""
    sets = round_.class_sets
    return {
        "base": state.routes,
        "sides": list(SIDES),
        "owner": f"person-{person.id}",
        "project": state.project_key,
        "round": {
            "id": round_.id,
            "number": round_.number,
            "images": round_.batch_size,
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
        "many": classes.more_than_digits,
        "classes": plain_classes(state, classes),
    }


def plain_classes(state: UiState, classes: ClassList) -> list[dict[str, Any]]:
    """The classes as the browser is told, in the order of the screen."""
    keys = classes.keys
    return [
        {
            "id": c.id,
            "name": c.name,
            "key": keys[position],
            "colour": c.colour,
            "description": c.description,
            "examples": [picture_address(state, content, THUMBNAIL) for content in c.examples],
        }
        for position in classes.shown_order
        for c in (classes.classes[position],)
    ]
