"""The card of one image, ready to be opened over any page."""

from __future__ import annotations

from alworkbench.inputs.rendition import SIDES, THUMBNAIL
from ui.components.mounting import component
from ui.state import UiState

_card = component("card", "card/card.js")


def image_card(state: UiState) -> None:
    """Draw it closed; `openCard` of `card/card.js` and links to `?image=HASH` open it."""
    _card.draw(state, {"base": state.routes, "sides": list(SIDES), "thumbnail": THUMBNAIL})
