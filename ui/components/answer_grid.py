"""The grid of an open round: many images of this person, answered in selections through the desk's routes."""

from __future__ import annotations

from collections.abc import Callable

from alworkbench.core.domain import ClassList, Person, Round
from ui.components.labeller import RoundProgress, component_data
from ui.components.mounting import component
from ui.state import UiState

_grid = component("answer_grid", "answer_grid/answer_grid.js", "grid")


def answer_grid(
    state: UiState,
    person: Person,
    round_: Round,
    progress: RoundProgress,
    classes: ClassList,
    on_change: Callable[[], None],
) -> None:
    """Draw the grid of an open round; `on_change` is that of `ui.components.labeller.labeller`."""
    data = component_data(state, person, round_, progress, classes)
    _grid.draw(state, data, on_changed_change=on_change)
