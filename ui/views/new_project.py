"""The form of a new project on the home page."""

from __future__ import annotations

import streamlit as st

from alworkbench.api import create_project_in, model_names
from alworkbench.core.domain import PersonRole, ProjectSettings
from alworkbench.core.errors import PeopleError, WorkbenchError
from alworkbench.inputs.class_name_file import class_names_of
from alworkbench.project.people import People
from ui.door.visitor import guest_here, person_here
from ui.projects import Projects
from ui.served import Served
from ui.state import page_address
from ui.views.parts import with_commands

LEAVE = "leave-for"
"""Where in the state of the tab the address stands that is loaded in place of this page."""
FIRST_PAGE = "import"
_BUNDLED = ProjectSettings(name="").encoder


@st.dialog("New project", width="medium")
def new_project(projects: Projects, manages: list[Served]) -> None:
    """Ask for name, classes and model, and make the project.

    `manages` are the projects in which somebody is signed in here as a manager: who makes a project becomes
    its manager, with the same password.
    """
    with st.form("new-project-form", border=False):
        name = st.text_input(
            "Name", max_chars=60, key="new-project-name", help="Its folder has the same name."
        )
        classes = st.text_area(
            "Classes",
            height=160,
            key="new-project-classes",
            placeholder="barn owl\ntawny owl",
            help="One name in a line. They can be changed later.",
        )
        encoder = st.selectbox(
            "Model",
            model_names(),
            format_func=_model_words,
            key="new-project-model",
            accept_new_options=True,
            help="A model of open_clip as ARCH:TAG, or ARCH:path/to/weights on the server. The bundled one "
            "is small and fast; the weights of others are fetched when images are encoded.",
        )
        made = st.form_submit_button("Make the project", type="primary")
    if not made:
        return
    try:
        address = make_project(projects, manages, name, classes, encoder or _BUNDLED)
    except WorkbenchError as refused:
        st.error(with_commands(str(refused)))
        return
    st.session_state[LEAVE] = address
    st.rerun()


def make_project(
    projects: Projects, manages: list[Served], name: str, classes: str, encoder: str
) -> str:
    """Make the project for who looks at this page; returns the address of its first page.

    A guest becomes a person of it by entering, as in any project without passwords. Raises WorkbenchError.
    """
    people, maker = None, None
    if guest_here(projects) is None:
        people, maker = _manager_here(manages)
    if projects.home is None:
        raise PeopleError("This server has no home folder. Start it with --home FOLDER.")
    folder = create_project_in(
        projects.home, name, class_names_of(classes), maker=people, encoder=encoder
    )
    projects.look_again()
    (new,) = [each for each in projects.all() if each.folder == folder]
    new.maker = maker
    return page_address(projects.base, FIRST_PAGE, new.key)


def _model_words(name: str) -> str:
    return f"{name} (small, works without a download)" if name == _BUNDLED else name


def _manager_here(manages: list[Served]) -> tuple[tuple[People, str], tuple[str, int]]:
    """The manager who looks at this page, read from the store again: a role may have been taken away."""
    for project in manages:
        people = project.state().workbench.people
        person = person_here(project.state())
        if person is not None and person.role.includes(PersonRole.MANAGER):
            return (people, person.name), (project.key, person.id)
    raise PeopleError("Only a manager of a project of this server makes a new one.")
