"""The page of people: who may sign in, and what each may do. For managers."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import PeopleError
from ui.state import UiState
from ui.views.parts import escape_markdown, heading

_MAY = {
    PersonRole.ANNOTATOR: "labels",
    PersonRole.REVIEWER: "labels, and decides where answers differ",
    PersonRole.MANAGER: "may do everything",
}
_SAID = "people-said"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "People",
        "Who works on this project",
        "Each change counts at once, also for somebody who is signed in. Answers stay under their names.",
    )
    if said := st.session_state.pop(_SAID, None):
        st.success(escape_markdown(said))
    people = state.workbench.people.all()
    st.dataframe(
        {
            "Name": [p.name for p in people],
            "Role": [p.role.value for p in people],
            "State": ["active" if p.active else "disabled" for p in people],
            "Signs in with": ["a password" if p.has_password else "no password" for p in people],
            "Since": [f"{p.created_at:%Y-%m-%d}" for p in people],
        },
        hide_index=True,
        alt="People of this project",
    )
    left, right = st.columns(2, gap="large")
    with left:
        _add(state)
    with right:
        if people:
            _change(state, people)


def _add(state: UiState) -> None:
    with st.form("add-person", border=True):
        st.subheader("Add a person", anchor=False)
        name = st.text_input("Name", max_chars=80, key="new-name", help="It cannot be changed.")
        role = _role_box("new-role", PersonRole.ANNOTATOR)
        password = _password_box("First password", "new-password")
        if st.form_submit_button("Add", type="primary"):
            added = (
                f"Added {' '.join(name.split())}. Tell the password in person, or by a safe way."
            )
            _do(lambda: state.workbench.people.add(name, role, password), added)


def _change(state: UiState, people: list[Person]) -> None:
    workbench = state.workbench
    with st.container(border=True):
        st.subheader("Change a person", anchor=False)
        name = st.selectbox("Person", [p.name for p in people], key="person")
        person = next(p for p in people if p.name == name)
        role = _role_box(f"role-{person.id}", person.role)
        with st.container(horizontal=True):
            if st.button("Change the role", key="change-role", disabled=role is person.role):
                _do(
                    lambda: workbench.people.change_role(name, role), f"{name} is {role.value} now."
                )
            if person.active and st.button("Disable", key="disable"):
                _do(
                    lambda: workbench.people.disable(name),
                    f"{name} is disabled and signed out everywhere.",
                )
            if not person.active and st.button("Enable", key="enable"):
                _do(lambda: workbench.people.enable(name), f"{name} may sign in again.")
        with st.form("new-password-of-person", clear_on_submit=True, border=False):
            password = _password_box("New password", "changed-password")
            if st.form_submit_button("Set the password"):
                _do(
                    lambda: workbench.people.set_password(name, password),
                    f"{name} has a new password, and is signed out everywhere.",
                )


def _role_box(key: str, role: PersonRole) -> PersonRole:
    roles = list(PersonRole)
    return st.selectbox(
        "Role",
        roles,
        index=roles.index(role),
        format_func=lambda each: f"{each.value}: {_MAY[each]}",
        key=key,
    )


def _password_box(label: str, key: str) -> str:
    return st.text_input(
        label, type="password", max_chars=1000, key=key, autocomplete="new-password"
    )


def _do(change: Callable[[], object], said: str) -> None:
    """Make a change and draw the page again; a refusal is shown."""
    try:
        change()
    except PeopleError as refused:
        st.error(escape_markdown(str(refused)))
        return
    st.session_state[_SAID] = said
    st.rerun()
