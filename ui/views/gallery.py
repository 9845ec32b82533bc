"""The page of the gallery: all images, filtered, sorted, searched and labelled in selections.

Its address may name a part of the images: `gallery?evidence=audit&label=owl&predicted=hawk`, or
`gallery?round=3`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from alworkbench.core.domain import ClassList
from alworkbench.project.image_query import EvidenceSet
from ui.components.gallery import gallery
from ui.state import UiState
from ui.views.parts import escape_markdown, heading


def render(state: UiState, _go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading("Images", "Gallery")
    classes = state.workbench.classes.current()
    asked, unknown = asked_of(
        st.query_params, classes, [each.number for each in state.workbench.rounds.all()]
    )
    if unknown:
        st.warning(
            escape_markdown(
                f"The address of this page names what this project does not have: {', '.join(unknown)}. "
                "All other conditions hold."
            )
        )
    gallery(state, asked)


def asked_of(
    address: Mapping[str, str], classes: ClassList, rounds: Sequence[int] = ()
) -> tuple[dict[str, str], list[str]]:
    """Controls of the filter bar with their values, and what of the address is not known.

    `rounds` are the numbers of all rounds.
    """
    known = {
        "evidence": ("evidence", {each.value for each in EvidenceSet}),
        "label": ("classes", set(classes.names)),
        "predicted": ("predicted", set(classes.names)),
        "round": ("round", {str(number) for number in rounds}),
    }
    given = {name: value for name, value in address.items() if name in known and value}
    asked = {known[name][0]: value for name, value in given.items() if value in known[name][1]}
    return asked, [value for name, value in given.items() if value not in known[name][1]]


def address_of(state: UiState, source: EvidenceSet, label: str, predicted: str) -> str:
    """The address of the images of one set with this label and this prediction."""
    return state.page("gallery", evidence=source.value, label=label, predicted=predicted)
