"""The page of the gallery: all images, filtered, sorted, searched and labelled in selections."""

from __future__ import annotations

from collections.abc import Callable

from ui.components.gallery import gallery
from ui.state import UiState
from ui.views.parts import heading


def render(state: UiState, _go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading("Images", "Gallery")
    gallery(state)
