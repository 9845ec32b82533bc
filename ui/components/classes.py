"""The component of the class list: a draft that is typed, previewed and stored; it asks our routes itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ui.components.mounting import component
from ui.state import UiState

_classes = component("classes", "classes/classes.js")


def class_draft(
    state: UiState, proposed: Mapping[str, Any] | None, on_change: Callable[[], None]
) -> None:
    """Draw the class list. `on_change` is called when a draft was stored, or its job was started.

    `proposed` are templates for all classes, or an earlier version, that become the draft: {number,
    templates} or {number, version}. Another number is another proposal.
    """
    data = {
        "base": state.routes,
        "project": state.project_key,
        "gallery": state.page("gallery"),
        "version": state.workbench.classes.current().id,
        "proposed": None if proposed is None else dict(proposed),
    }
    _classes.draw(state, data, on_changed_change=on_change)
