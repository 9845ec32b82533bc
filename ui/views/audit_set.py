"""The form that draws an audit set: its size, and the interval that this size gives."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.project.audit_set import AuditOffer
from alworkbench.project.status import Status
from ui.state import UiState
from ui.unbroken import percent
from ui.views.parts import ROW, caption, count
from ui.views.work import asked_by

SIZES = (50, 100, 200, 400)
"""Offered sizes; halving the interval takes four times the images."""
DEFAULT_SIZE = 100


def draw_call(state: UiState, go: Callable[[str], None], *, key: str) -> None:
    """Draw the form. Its button draws images at random, opens their round, and shows the labelling page."""
    workbench = state.workbench
    largest = workbench.audit.offer(max(SIZES))
    if largest.images == 0:
        return
    more = largest.audit_before > 0
    with st.expander("Make the audit set larger") if more else st.container(border=True):
        if not more:
            st.header("Draw an audit set", anchor=False)
        st.write(
            "You label randomly drawn images without the suggestions of the model. The model never "
            "learns from them, so they measure its accuracy without bias."
        )
        sizes = [size for size in SIZES if size <= largest.images] or [largest.images]
        default = DEFAULT_SIZE if DEFAULT_SIZE in sizes else sizes[0]
        size = st.segmented_control(
            "Images to draw",
            sizes,
            default=default,
            format_func=lambda n: f"{n:,}",
            key=f"{key}-size",
            required=True,
        )
        offer = workbench.audit.offer(int(size or default))
        caption(what_it_buys(offer))
        with st.container(**ROW):
            if st.button(f"Draw {count(offer.images, 'image')}", key=f"{key}-draw"):
                order = {"do": "draw", "images": offer.images}
                state.jobs.start(JobKind.RANK, "draw the audit set", asked_by(state), order)
                go("label")


def what_it_buys(offer: AuditOffer) -> str:
    """The interval that a size gives, and which images the audit set represents."""
    together = (
        f" With the {offer.audit_before:,} that you have, they" if offer.audit_before else " They"
    )
    words = (
        f"{count(offer.images, 'image')}.{together} give about ±{100 * offer.half_width:.0f} points "
        f"around an accuracy of {percent(offer.expected_accuracy, 0)} (95 % interval)."
    )
    if offer.labelled_before:
        words += (
            f" {count(offer.labelled_before, 'image')} of the pool "
            f"{'has' if offer.labelled_before == 1 else 'have'} an answer already. The audit set represents "
            f"the {offer.pool:,} images without one."
        )
    return words


def without_audit_set(state: UiState, status: Status, why: str) -> tuple[str, str, str]:
    """What to do where the project has no audit set: a sentence, and the words and the page of a button.

    `why` says what is missing for it, such as "accuracy cannot be measured".
    """
    lacks = f"This project has no audit set, so {why}."
    imported = "labelled images for it: `alworkbench import FOLDER --audit`"
    if status.encoded == 0 or not status.has_posterior:
        words = f"{lacks} Import {imported}. Or encode images of the pool, and draw it from them."
        return words, "Go to Import", "import"
    if state.workbench.audit.offer(max(SIZES)).images == 0:
        return (
            f"{lacks} The pool has no image left to draw: import {imported}.",
            "Go to Import",
            "import",
        )
    words = f"{lacks} Draw one on the page Curves while no round is open, or import {imported}."
    return words, "Draw an audit set", "curves"
