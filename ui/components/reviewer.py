"""The component of a reviewer: one case, what the reviewer sees in it, and what becomes of it."""

from __future__ import annotations

from alworkbench.core.domain import ClassList, Person
from alworkbench.inputs.rendition import SIDES
from ui.components.labeller import plain_classes
from ui.components.mounting import component
from ui.state import UiState

# It looks as the desk does, and uses its list of classes and its search.
_review = component("reviewer", "review/review.js", "desk")


def reviewer(state: UiState, person: Person, classes: ClassList, searches: int) -> None:
    """Draw the cases that wait. When `searches` changes, the browser asks for them again."""
    data = {
        "base": state.routes,
        "sides": list(SIDES),
        "owner": f"person-{person.id}",
        "project": state.project_key,
        "many": classes.more_than_digits,
        "classes": plain_classes(state, classes),
        "searches": searches,
    }
    _review.draw(state, data)
