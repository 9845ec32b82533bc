"""The settings page: every setting of `alworkbench set`, what it means, and from when a change counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from alworkbench.core.domain import Consensus, Goal, LateAnswers, ProjectSettings
from alworkbench.core.errors import WorkbenchError
from alworkbench.project.setting_cards import (
    CARDS,
    SUMMARIES,
    SettingCard,
    fixed_settings,
    in_words,
    shown_value,
)
from alworkbench.project.settings_change import change_settings
from ui.state import UiState
from ui.views.parts import escape_markdown, heading, with_commands

MOST_SEED = 2**32 - 1
MOST_PEOPLE = 100
MOST_IMAGES = 10_000
_ENUMS = {"goal": Goal, "late_answers": LateAnswers, "consensus": Consensus}
_NUMBERS = {"batch_size": (1, MOST_IMAGES), "overlap": (1, MOST_PEOPLE), "seed": (0, MOST_SEED)}
_SAID, _ASKED, _DRAWN = "settings-said", "settings-asked", "settings-drawn"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    session = state.workbench.session
    settings, fixed = session.settings(), fixed_settings(session)
    _take_up(settings)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        heading(
            "Settings",
            "How rounds are made",
            "Each setting says what it does and from when another value counts. Labels are never changed by "
            "a setting.",
        )
    save = right.container(horizontal_alignment="right")
    said = st.container()
    asked = st.container()
    wanted: dict[str, Any] = {}
    for card in CARDS:
        with st.container(border=True):
            names, box = st.columns([3, 2], gap="large", vertical_alignment="top")
            with names, st.container(gap="xsmall"):
                unit = " (%)" if card.share else ""
                st.markdown(f"**{escape_markdown(card.title + unit)}**")
                st.caption(escape_markdown(f"{card.about} Counts {card.counts}."))
            with box:
                value = _box(card, settings, disabled=card.name in fixed)
        if card.name not in fixed and value != _plain(getattr(settings, card.name), card):
            wanted[card.name] = value
    with save:
        pressed = st.button(
            "Change", type="primary", key="settings-save", disabled=not wanted, help=_help(wanted)
        )
    if words := st.session_state.pop(_SAID, None):
        said.success(escape_markdown(words))
    if pressed:
        st.session_state[_ASKED] = wanted
    with asked:
        _confirm(state, settings, wanted)


def _take_up(settings: ProjectSettings) -> None:
    """Let the boxes show what somebody else changed since they were drawn.

    A box keeps its value from one drawing to the next, so that an open page would offer to undo the change.
    """
    drawn = st.session_state.get(_DRAWN, settings)
    for card in CARDS:
        if getattr(drawn, card.name) != getattr(settings, card.name):
            st.session_state.pop(_key(card), None)
    st.session_state[_DRAWN] = settings


def _key(card: SettingCard) -> str:
    return f"set-{card.name}"


def _help(wanted: Mapping[str, Any]) -> str:
    return f"{len(wanted)} changed" if wanted else "No setting on this page is changed."


def _plain(value: Any, card: SettingCard) -> Any:
    """A stored value as its box gives it: shares are percents, and none is 0."""
    return round(100 * (value or 0.0), 6) if card.share else value


def _box(card: SettingCard, settings: ProjectSettings, *, disabled: bool) -> Any:
    """The box of a setting, with its present value; returns the value in it."""
    value, key = getattr(settings, card.name), _key(card)
    # Not as the default of the box: the browser keeps what it shows when only the default changes.
    if key not in st.session_state:
        st.session_state[key] = _plain(value, card)
    label: dict[str, Any] = {
        "label": f"{card.title}, in percent" if card.share else card.title,
        "label_visibility": "collapsed",
        "key": key,
        "disabled": disabled,
    }
    if card.share:
        return st.number_input(
            **label,
            min_value=0.0,
            max_value=100.0,
            format="%g",
            step=5.0,
        )
    if card.name in _NUMBERS:
        least, most = _NUMBERS[card.name]
        return int(st.number_input(**label, min_value=least, max_value=max(most, value), step=1))
    if card.name in _ENUMS:
        return st.selectbox(
            **label, options=list(_ENUMS[card.name]), format_func=lambda each: each.value
        )
    if card.name in SUMMARIES:
        summaries = SUMMARIES[card.name]
        names = list(dict.fromkeys([*summaries, value]))
        chosen = st.selectbox(**label, options=names)
        st.caption(escape_markdown(summaries.get(chosen, "")))
        return chosen
    return st.text_input(**label, max_chars=1000).strip()


def _confirm(state: UiState, settings: ProjectSettings, wanted: Mapping[str, Any]) -> None:
    """Say what changes and from when, and change it once it is confirmed."""
    asked = st.session_state.get(_ASKED)
    if asked is None or asked != dict(wanted):
        st.session_state.pop(_ASKED, None)  # another value was chosen meanwhile
        return
    given = {card.name: _given(asked[card.name], card) for card in CARDS if card.name in asked}
    with st.container(border=True):
        for card in CARDS:
            if card.name in given:
                words = (
                    f"{card.title}: {shown_value(settings, card)} → {in_words(given[card.name], card)}, "
                    f"{card.counts}."
                )
                st.write(escape_markdown(words))
        with st.container(horizontal=True):
            confirmed = st.button("Change these settings", type="primary", key="settings-confirm")
            if st.button("Leave them as they are", key="settings-leave"):
                _forget()
                st.rerun()
    if confirmed:
        try:
            change_settings(state.workbench.session, **given)
        except (WorkbenchError, ValueError) as refused:
            st.error(with_commands(str(refused)))
            return
        _forget()
        st.session_state[_SAID] = (
            "Changed. Everybody who works on this project has the new settings."
        )
        st.rerun()


def _given(value: Any, card: SettingCard) -> Any:
    return value / 100 if card.share else value


def _forget() -> None:
    """Let the boxes show the stored values again."""
    st.session_state.pop(_ASKED, None)
    for card in CARDS:
        st.session_state.pop(_key(card), None)
