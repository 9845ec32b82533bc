"""A browser opens a page: what becomes of the printed token, and of a guest who enters a project.

The printed token is exchanged once. On a server of one project, the browser is signed in to it. On a server
of several projects it becomes a guest with a name. A guest is made a person of a project, as its manager,
when the guest first opens a page of it; projects in which somebody has a password have a door of their own.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import PeopleError
from ui.door.settings import DOOR, Door
from ui.door.visitor import signed_out
from ui.refusal import Refused
from ui.served import Served


def here(scope: Scope, *, without_token: bool = False) -> str:
    """The path and query of a request, as an address writes them."""
    text = scope["query_string"].decode("latin-1")
    if without_token:
        query = parse_qsl(text, keep_blank_values=True)
        text = urlencode([(name, value) for name, value in query if name != "token"])
    return quote(scope["path"]) + (f"?{text}" if text else "")


def arrive(door: Door, scope: Scope) -> Response | None:
    """The answer to somebody who opens a page: a sign-in, or the question for a name; None to go on.

    Raises Refused for a guest whom the project does not take and for a page of a project in which nobody is
    signed in here, and ProjectError.
    """
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = next((value for name, value in query if name == "token"), None)
    if given is not None and door.entrance.token is not None:
        return _bring_token(door, scope, given)
    address = here(scope)
    project = door.named_by(address)
    if project is None:
        if door.names_a_project(address):
            raise signed_out()
        return None
    guest = door.guest(scope)
    if door.identify(scope, project) is not None:
        return None
    if (maker := _maker(door, scope, project)) is not None:
        answer = _sign_in_as(door, scope, project, maker, address)
        project.maker = None
        return answer
    if guest is None or not door.lets_guests_in(project):
        raise signed_out()
    return _enter_as(door, scope, project, guest, address)


def take_in(project: Served, name: str) -> Person:
    """The person with this name, who is made a manager of the project where the name is new.

    Raises PeopleError for a name that has a password or cannot be taken, and ProjectError.
    """
    people = project.state().workbench.people
    known = people.named(name)
    if known is not None and known.has_password:
        raise PeopleError(f"{known.name} has a password. Sign in with it, or give another name.")
    return known or people.add(name, PersonRole.MANAGER)


def _bring_token(door: Door, scope: Scope, given: str) -> Response:
    address = here(scope, without_token=True)
    visit, several = door.visit(scope), door.projects.several
    if visit and (not several or visit.guest is not None):
        return RedirectResponse(address, 303)
    only = None if several else door.projects.only()
    if only is not None and not door.lets_guests_in(only):  # a password was set since the start
        return RedirectResponse(door.path(f"{DOOR}?next={quote(address, safe='/')}"), 303)
    headers = Headers(scope=scope)
    purpose = headers.get("sec-purpose", "") + headers.get("purpose", "")
    if "prefetch" in purpose or not door.entrance.exchange(given):
        return RedirectResponse(door.path(f"{DOOR}?said=used"), 303)
    names = [each.person.name for each in visit.visitors.values()] or door.people_without_password()
    if several:
        if len(dict.fromkeys(names)) == 1:
            return _become_guest(door, scope, names[0], address)
    elif only is not None and len(names) == 1:
        return _sign_in_as(door, scope, only, names[0], address)
    made = door.entrance.new_pass(door.projects.now())
    response = RedirectResponse(door.path(f"{DOOR}/name?next={quote(address, safe='/')}"), 303)
    door.put_cookie(response, scope, door.pass_cookie, made)
    return response


def _become_guest(door: Door, scope: Scope, name: str, address: str) -> Response:
    response = RedirectResponse(address, 303)
    door.put_cookie(response, scope, door.guest_cookie, door.entrance.admit(name))
    return response


def _maker(door: Door, scope: Scope, project: Served) -> str | None:
    """The name of the person who made this project in this browser and enters it for the first time."""
    origin = None if project.maker is None else door.projects.get(project.maker[0])
    visitor = None if origin is None else door.identify(scope, origin)
    if project.maker is None or visitor is None or visitor.person.id != project.maker[1]:
        return None
    return visitor.person.name


def _enter_as(door: Door, scope: Scope, project: Served, name: str, address: str) -> Response:
    try:
        person = take_in(project, name)
    except PeopleError as refused:
        raise Refused(403, "person", str(refused)) from refused
    return _sign_in_as(door, scope, project, person.name, address)


def _sign_in_as(door: Door, scope: Scope, project: Served, name: str, address: str) -> Response:
    try:
        token = project.state().workbench.people.let_in(name)
    except PeopleError as refused:
        raise Refused(403, "person", str(refused)) from refused
    response = RedirectResponse(address, 303)
    door.put_cookie(response, scope, door.cookie(project), token)
    return response
