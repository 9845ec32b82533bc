"""The map component: every image as a point; it asks our routes itself."""

from __future__ import annotations

from typing import Any

from ui.components.labeller import plain_classes
from ui.components.mounting import component
from ui.state import UiState

_map = component("map", "map/map.js")


def feature_map(state: UiState) -> None:
    """Draw the map."""
    _map.draw(state, component_data(state))


def component_data(state: UiState) -> dict[str, Any]:
    """What the browser is told."""
    return {
        "base": state.routes,
        "gallery": state.page("gallery"),
        "project": state.project_key,
        "version": state.workbench.images.version(),
        "classes": plain_classes(state, state.workbench.classes.current()),
    }
