"""The page of a reviewer: disagreements, likely errors and second opinions, one image at a time.

Unless the reviewer says otherwise, the answers of others and the opinion of the model are hidden until the
reviewer has said what the image is, so that they do not pull this opinion. Each decision is an answer of its
own; nothing is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import streamlit as st

from alworkbench.core.domain import ReviewReason, ReviewState
from alworkbench.core.errors import WorkbenchError
from alworkbench.inputs.rendition import DESK
from alworkbench.project.review_cases import ReviewCase
from ui.door.visitor import person_here
from ui.routes.pictures import picture_address
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, heading
from ui.views.review_words import (
    CANNOT_TELL,
    REASONS,
    closed_table,
    model_words,
    opened_words,
    said_words,
    trail_words,
)

CLOSED = "Closed"
LONGEST_LOOK = 600.0
"""Seconds; a reviewer who takes longer was away, and the time is not recorded."""
MOST_BUTTONS = 40
"""Classes that have a button each; more are chosen from a list."""
_SAID = "review-said"
_LATER = "review-later"
_BLIND = "review-blind"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    person = person_here(state)
    if person is None:
        return
    reviews = state.workbench.team.reviews
    reviews.open_disagreements()
    cases = reviews.cases()
    heading(
        "Review",
        f"{count(len(cases), 'open case')}" if cases else "No open cases",
        "Images that people disagree about, or whose label is probably wrong. Your decision counts alone; "
        "all answers are kept.",
    )
    if said := st.session_state.pop(_SAID, None):
        st.success(escape_markdown(said))
    with st.container(**ROW):
        shown = _filter(cases)
        if shown != CLOSED:
            st.toggle(
                "Answer before you see what others said",
                value=True,
                key=_BLIND,
                help="Hides the answers and the opinion of the model until you have said what you see.",
            )
    if shown == CLOSED:
        _closed(state)
        return
    chosen = [each for each in cases if shown in (None, each.review.reason)]
    if shown in (None, ReviewReason.LABEL_ERROR):
        _look_for_errors(state, primary=not chosen)
    if chosen:
        _next(state, person.name, chosen)
    elif shown is not None and cases:
        st.write("No open case of this kind.")


def _filter(cases: list[ReviewCase]) -> ReviewReason | str | None:
    """The kind of case to show; None: every open one."""
    counts = {reason: sum(c.review.reason is reason for c in cases) for reason in REASONS}
    names = {"all": f"All ({len(cases)})"}
    names |= {reason.value: f"{title} ({counts[reason]})" for reason, title in REASONS.items()}
    names[CLOSED] = CLOSED
    chosen = st.segmented_control(
        "Cases to show",
        list(names),
        format_func=names.__getitem__,
        default="all",
        key="review-filter",
        label_visibility="collapsed",
    )
    if chosen in (None, "all"):
        return None
    return CLOSED if chosen == CLOSED else ReviewReason(chosen)


def _look_for_errors(state: UiState, *, primary: bool) -> None:
    if not st.button(
        "Look for likely errors",
        key="review-look",
        type="primary" if primary else "tertiary",
        help="Compares each label with a model that did not learn it. It takes some seconds.",
    ):
        return
    try:
        with st.spinner("Leaving each label out"):
            found = state.workbench.team.reviews.open_label_errors()
    except WorkbenchError as refused:
        st.error(escape_markdown(str(refused)))
        return
    st.session_state[_SAID] = (
        f"{count(found, 'label')} {'is' if found == 1 else 'are'} probably wrong. "
        "About every second of them is right all the same, so look at each."
        if found
        else "No other label is probably wrong."
    )
    st.rerun()


def _next(state: UiState, name: str, cases: list[ReviewCase]) -> None:
    """Draw the first case that waits for this person; those put off, and the own questions, come last."""
    later = st.session_state.setdefault(_LATER, [])
    place = {number: at for at, number in enumerate(later, start=1)}
    waiting = sorted(
        cases, key=lambda c: (c.review.asked_by == name, place.get(c.review.id, 0))
    )  # a stable sort keeps the most doubtful first
    _case(state, name, waiting[0], len(waiting))


def _case(state: UiState, name: str, case: ReviewCase, waiting: int) -> None:
    key = f"review-{case.review.id}"
    st.session_state.setdefault(f"{key}-since", time.monotonic())
    left, right = st.columns([3, 2], gap="large")
    with left:
        # The address holds a hash only, so nothing in it comes from a user.
        address = picture_address(state, case.hash, DESK)
        st.html(
            f'<img src="{address}" alt="The image of case {case.review.id}" '
            f'style="display:block;width:auto;max-width:100%;max-height:70vh;min-width:min(100%,22rem);'
            f'image-rendering:auto;border-radius:.5rem">'
        )
        st.caption(escape_markdown(case.path))
    with right:
        st.caption(escape_markdown(opened_words(case, waiting)))
        if case.review.asked_by == name:
            _own_question(state, name, case, key)
            return
        opinion = st.session_state.get(key)
        blind = st.session_state.get(_BLIND, True)
        if not blind or opinion is not None:
            _evidence(state, case)
        if opinion is None:
            _ask(state, case, key)
        else:
            _decide(state, name, case, key, opinion)


def _own_question(state: UiState, name: str, case: ReviewCase, key: str) -> None:
    st.write("You asked for a second opinion of this image. Another reviewer decides.")
    _evidence(state, case)
    if st.button("Withdraw the question", key=f"{key}-dismiss"):
        _do(
            lambda: state.workbench.team.reviews.dismiss(case.review.id, name),
            f"Case {case.review.id} is dismissed; the answers stay.",
        )


def _ask(state: UiState, case: ReviewCase, key: str) -> None:
    """One button for each class, with the keys of the labelling page."""
    classes = state.workbench.classes.current()
    st.write("**What do you see?**")
    chosen = None
    order = classes.shown_order
    if len(order) > MOST_BUTTONS:
        chosen = st.selectbox("Class", sorted(classes.names), index=None, key=f"{key}-list")
    with st.container(horizontal=True, gap="small"):
        if len(order) <= MOST_BUTTONS:
            for at in order:
                short = classes.keys[at]
                if st.button(
                    escape_markdown(classes.names[at]), key=f"{key}-see-{at}", shortcut=short
                ):
                    chosen = classes.names[at]
        if st.button(CANNOT_TELL, key=f"{key}-see-nothing", shortcut="u"):
            chosen = CANNOT_TELL
    if st.button("Later", type="tertiary", key=f"{key}-later", shortcut="s"):
        later = [each for each in st.session_state[_LATER] if each != case.review.id]
        st.session_state[_LATER] = [*later, case.review.id]
        st.rerun()
    if chosen is not None:
        st.session_state[key] = chosen
        st.rerun()


def _evidence(state: UiState, case: ReviewCase) -> None:
    """What people answered, what the model says, and what reviewers did before: one block, so it is short."""
    classes = state.workbench.classes.current()
    parts = {"What people answered": _listed(said_words(x, classes) for x in case.history)}
    if words := model_words(case.review, classes):
        parts["What the model says"] = escape_markdown(words)
    if case.earlier:
        parts["What reviewers did"] = _listed(trail_words(x, classes) for x in case.earlier)
    st.markdown("\n\n".join(f"**{title}**\n\n{text}" for title, text in parts.items()))


def _listed(lines: Iterable[str]) -> str:
    return "\n".join("- " + escape_markdown(" ".join(line.split())) for line in lines)


def _decide(state: UiState, name: str, case: ReviewCase, key: str, opinion: str) -> None:
    reviews, number = state.workbench.team.reviews, case.review.id
    seen = None if opinion == CANNOT_TELL else opinion
    st.write(f"You see: **{escape_markdown(opinion)}**")
    note = st.text_input("Note", max_chars=500, key=f"{key}-note") or None
    looked = time.monotonic() - st.session_state[f"{key}-since"]
    seconds = looked if looked <= LONGEST_LOOK else None
    with st.container(horizontal=True, gap="small"):
        if st.button("Decide so", type="primary", key=f"{key}-decide", shortcut="y"):
            _do(
                lambda: reviews.resolve(number, name, seen, note, seconds=seconds),
                f"Case {number} is resolved: {opinion}.",
            )
        if st.button("Keep the answers", key=f"{key}-dismiss", shortcut="k"):
            _do(
                lambda: reviews.dismiss(number, name, note),
                f"Case {number} is dismissed; the answers stay.",
            )
        if st.button("Ask a second person", key=f"{key}-pass", shortcut="p"):
            _do(
                lambda: reviews.pass_on(number, name, seen, note),
                f"Case {number} waits for another reviewer.",
            )
        if st.button("Look again", type="tertiary", key=f"{key}-again", shortcut="z"):
            del st.session_state[key]
            st.rerun()


def _closed(state: UiState) -> None:
    every = state.workbench.team.reviews.cases(closed=True)
    closed = [each for each in every if each.review.state is not ReviewState.OPEN]
    if not closed:
        st.write("No case is closed yet.")
        return
    st.dataframe(
        closed_table(closed, state.workbench.classes.current()),
        hide_index=True,
        alt="Closed cases, the newest first",
    )


def _do(change: Callable[[], object], said: str) -> None:
    """Close the case and draw the page again; a refusal is shown."""
    try:
        change()
    except WorkbenchError as refused:
        st.error(escape_markdown(str(refused)))
        return
    st.session_state[_SAID] = said
    st.rerun()
