"""The page of the map: every image as a point, coloured, selected and handed to the gallery."""

from __future__ import annotations

from collections.abc import Callable

from ui.components.feature_map import feature_map
from ui.state import UiState
from ui.views.parts import heading


def render(state: UiState, _go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading("Images", "Map")
    feature_map(state)
