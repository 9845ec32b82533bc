"""The gallery component: images in a grid, filtered, selected and labelled; it asks our routes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alworkbench.project.kept_targets import saved_targets
from ui.components.labeller import plain_classes
from ui.components.mounting import component
from ui.state import UiState

_grid = component("gallery", "grid/grid.js")


def gallery(state: UiState, asked: Mapping[str, str]) -> None:
    """Draw the gallery. `asked` are controls of the filter bar and their values, as the address has them."""
    _grid.draw(state, component_data(state, asked))


def component_data(state: UiState, asked: Mapping[str, str]) -> dict[str, Any]:
    """What the browser is told."""
    workbench = state.workbench
    return {
        "base": state.routes,
        "project": state.project_key,
        "version": workbench.images.version(),
        "classes": plain_classes(state, workbench.classes.current()),
        "many": workbench.classes.current().more_than_digits,
        "rounds": [each.number for each in workbench.rounds.all()],
        "people": workbench.gallery.people(),
        "asked": dict(asked),
        "targets": saved_targets(workbench.session.folder),
    }
