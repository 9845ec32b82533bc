"""Signing in to every project of the server that knows the name, and out of all.

People belong to projects: each project checks the password against its own record, and gives a token of its
own. A project that cannot be read or written is left out, and the log says so: the others work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from alworkbench.core.errors import PeopleError, SignInRefused, TooManyAttempts, WorkbenchError
from alworkbench.project.people import People
from ui.door.settings import Door
from ui.projects import Projects
from ui.served import Served

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What became of a sign-in."""

    tokens: list[tuple[Served, str]]
    """A token for each project that the person may enter now."""
    refused: WorkbenchError | None
    """Why the person may enter none; None where there is a token."""


def sign_in_everywhere(
    door: Door, name: str, password: str, address: str, first: Served | None
) -> SignedIn:
    """Sign a person in to every project that has this name with this password. `first` is asked first.

    A project without the name is not asked: it would count a failed sign-in. If no project has the name, one
    is asked all the same. It then checks the password against nothing, which takes as long as checking it
    against the record of one project. `address` is the network address of the browser.
    """
    projects = sorted(door.projects.all(), key=lambda each: each is not first)
    tokens: list[tuple[Served, str]] = []
    troubles: list[WorkbenchError] = []
    known: list[tuple[Served, People]] = []
    unknown: list[tuple[Served, People]] = []
    for each in projects:
        try:
            people = each.state().workbench.people
            (unknown if people.named(name) is None else known).append((each, people))
        except WorkbenchError as error:
            troubles.append(error)
            say_left_out(each, error)
    for each, people in known or unknown[:1]:
        try:
            tokens.append((each, people.sign_in(name, password, address)))
        except PeopleError as refused:
            troubles.append(refused)
        except WorkbenchError as error:
            troubles.append(error)
            say_left_out(each, error)
    if tokens:
        return SignedIn(tokens, None)
    # What the person can act on is said first.
    order = (TooManyAttempts, SignInRefused, WorkbenchError)
    found = [each for kind in order for each in troubles if isinstance(each, kind)]
    return SignedIn([], found[0] if found else SignInRefused())


def let_in_everywhere(projects: Projects, name: str) -> SignedIn:
    """Sign somebody in to every project with an active person of this name, which was checked elsewhere."""
    tokens: list[tuple[Served, str]] = []
    troubles: list[WorkbenchError] = []
    for each in projects.all():
        try:
            people = each.state().workbench.people
            person = people.named(name)
            if person is not None:
                tokens.append((each, people.let_in(person.name)))
        except PeopleError:
            continue  # disabled since the name was read
        except WorkbenchError as error:
            troubles.append(error)
            say_left_out(each, error)
    return SignedIn(tokens, None if tokens or not troubles else troubles[0])


def sign_out_everywhere(door: Door, cookies: Mapping[str, str]) -> bool:
    """End the sign-ins that a browser has by these cookies; False where a project could not record it."""
    recorded = True
    for each in door.projects.all():
        token = cookies.get(door.cookie(each))
        try:
            if token:
                each.state().workbench.people.sign_out(token)
        except WorkbenchError as error:
            recorded = False
            say_left_out(each, error)
    return recorded


def say_left_out(project: Served, error: WorkbenchError) -> None:
    """Log that a project took no part in a sign-in or a sign-out."""
    _log.warning("%s was left out of a sign-in or a sign-out: %s", project.folder, error)
