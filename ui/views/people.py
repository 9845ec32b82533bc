"""The page of people: who may sign in, and what each may do. For managers."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import PeopleError
from alworkbench.project.passwords import made_password
from ui.state import UiState
from ui.views.parts import escape_markdown, heading, with_commands
from ui.views.people_work import people_work

_MAY = {
    PersonRole.ANNOTATOR: "labels",
    PersonRole.REVIEWER: "labels, and decides where answers differ",
    PersonRole.MANAGER: "may do everything",
}
_SAID = "people-said"
_MADE = "people-made-password"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "People",
        "Who works on this project",
        "Each change counts at once, also for somebody who is signed in. Answers stay under their names.",
    )
    if said := st.session_state.pop(_SAID, None):
        st.success(escape_markdown(said))
    if made := st.session_state.pop(_MADE, None):
        name, password = made
        st.write(f"The password of {escape_markdown(name)}. It is shown this once:")
        st.code(password, language=None)
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
    if _managers_shut_out(people):
        st.warning(
            "No manager has a password, but somebody else has one. From its next start the server asks "
            "everybody for a password: set one for a manager, or no manager can sign in with one."
        )
    left, right = st.columns(2, gap="large")
    with left:
        _add(state)
    with right:
        if people:
            _change(state, people)
    people_work(state)


def _managers_shut_out(people: list[Person]) -> bool:
    """Whether some have passwords and no manager is among them."""
    known = [each for each in people if each.active and each.has_password]
    return bool(known) and all(each.role is not PersonRole.MANAGER for each in known)


def _add(state: UiState) -> None:
    with st.form("add-person", border=True):
        st.header("Add a person", anchor=False)
        name = st.text_input("Name", max_chars=80, key="new-name", help="It cannot be changed.")
        role = _role_box("new-role", PersonRole.ANNOTATOR)
        password = _password_box("First password", "new-password")
        if st.form_submit_button("Add", type="primary"):
            tidy = " ".join(name.split())
            added = f"Added {tidy}. Tell the password in person, or by a safe way."
            given = password or made_password()
            made = None if password else (tidy, given)
            _do(lambda: state.workbench.people.add(name, role, given), added, made)


def _change(state: UiState, people: list[Person]) -> None:
    workbench = state.workbench
    with st.container(border=True):
        st.header("Change a person", anchor=False)
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
                given = password or made_password()
                _do(
                    lambda: workbench.people.set_password(name, given),
                    f"{name} has a new password, and is signed out everywhere.",
                    None if password else (name, given),
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
        label,
        type="password",
        max_chars=1000,
        key=key,
        autocomplete="new-password",
        placeholder="Empty: one is made, and shown once",
    )


def _do(change: Callable[[], object], said: str, made: tuple[str, str] | None = None) -> None:
    """Make a change and draw the page again; a refusal is shown.

    `made` is a person and a password that was made for them, which the next drawing shows once.
    """
    try:
        change()
    except PeopleError as refused:
        st.error(with_commands(str(refused)))
        return
    st.session_state[_SAID] = said
    st.session_state[_MADE] = made
    st.rerun()
