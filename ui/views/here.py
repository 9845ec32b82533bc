"""Which project a drawing shows, and as whom: found out at each drawing, from its address and its request."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from alworkbench.core.domain import Person
from alworkbench.core.errors import WorkbenchError
from ui.door.visitor import guest_here, person_here
from ui.projects import Projects
from ui.served import Served
from ui.state import UiState, asked_project, page_address

_HELD = "project-of-this-tab"


@dataclass(frozen=True, slots=True)
class Here:
    """What one drawing shows, and to whom."""

    state: UiState | None
    """The project; None on a page of all projects."""
    person: Person | None
    """Who is signed in to it."""
    guest: str | None
    """The name of who brought the printed token."""
    signed_in: tuple[Served, ...]
    """The projects in which somebody is signed in here."""
    trouble: str | None = None
    """Why the project of the address cannot be opened."""
    leave: str | None = None
    """The address to be loaded in place of this page."""

    @property
    def anybody(self) -> bool:
        """Whether somebody may see anything."""
        return bool(self.signed_in) or self.guest is not None


def here(projects: Projects) -> Here:
    """The project of this drawing: the one that the address names, that this tab showed, or the only one.

    A tab shows one project as long as its page is loaded: nothing of the state of a page of one project may
    meet another project. Where the address names another one, the page is loaded anew.
    """
    guest = guest_here(projects)
    signed_in = tuple(each for each in projects.all() if _person(each) is not None)
    asked, held = asked_project(), st.session_state.get(_HELD)
    if asked is not None and held not in (None, asked):
        return Here(None, None, guest, signed_in, leave=page_address(projects.base, "", asked))
    key = asked or held
    found = projects.get(key) if key is not None else _the_one(projects, signed_in, guest)
    if found is None:
        return Here(None, None, guest, signed_in)
    person = _person(found)
    if person is not None:
        st.session_state[_HELD] = found.key
        projects.watch(found)
        return Here(found.state(), person, guest, signed_in)
    if not signed_in and guest is None:
        return Here(found.opened, None, None, ())
    try:
        found.state()
        may_enter, trouble = guest is not None and found.takes_guests(), None
    except WorkbenchError as error:
        may_enter, trouble = False, str(error)
    return Here(
        found.opened,
        None,
        guest,
        signed_in,
        trouble,
        page_address(projects.base, "", found.key) if may_enter else None,
    )


def open_to_guests(projects: Projects, besides: tuple[Served, ...]) -> list[Served]:
    """The projects that a guest may enter, `besides` others. Opens all that are left."""
    return [each for each in projects.all() if each not in besides and _takes_guests(each)]


def _takes_guests(project: Served) -> bool:
    """False also for a project that cannot be read: Home says why."""
    try:
        return project.takes_guests()
    except WorkbenchError:
        return False


def _person(project: Served) -> Person | None:
    """Who is signed in to it. The guard has opened every project in which somebody is."""
    return None if project.opened is None else person_here(project.opened)


def _the_one(projects: Projects, signed_in: tuple[Served, ...], guest: str | None) -> Served | None:
    """The project of an address that names none; None where there is a choice."""
    if not projects.several:
        return projects.only()
    others = [] if guest is None else open_to_guests(projects, signed_in)
    found = [*signed_in, *others]
    return found[0] if len(found) == 1 else None
