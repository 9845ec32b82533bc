"""The pages of the door: sign in with a password, give a name once, sign out.

    GET  /alw/door        sign in, or how to get in
    POST /alw/door        name and password
    GET  /alw/door/name   who brought the one-time token gives a name; POST remembers it
    GET  /alw/door/you    who is signed in
    POST /alw/door/out    sign out

They are plain forms without a script. On a server of several projects, one form signs a person in to every
project that knows the name with this password, and the door of one project may be asked for by `next`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from alworkbench.core.errors import PeopleError, ProjectError, TooManyAttempts, WorkbenchError
from alworkbench.project.people import checked_name
from ui.door.arrival import take_in
from ui.door.oidc import oidc_routes
from ui.door.settings import DOOR, Door
from ui.door.signing_in import sign_in_everywhere, sign_out_everywhere
from ui.door.visitor import visit_of
from ui.refusal import Handler, Refused, answering
from ui.served import Served

_HERE = Path(__file__).parent
_SAID = {
    "used": "This address was used already, or belongs to an earlier start of the server.",
    "out": "You are signed out.",
    "part": "You are signed out in this browser. A project could not record it: a copy of its cookie would "
    "still be valid there. The log of the server names the project.",
}
_PASSWORD_SET = (
    "Sign in with your password. A manager sets one, or: alworkbench people password NAME"
)
_MOST_FIELDS = 8


def door_routes(door: Door) -> list[Route]:
    """The routes of the door, relative to the prefix of our routes."""
    pages = _Pages(door)
    inside = "/" + DOOR.rpartition("/")[2]
    return [
        *([] if door.oidc is None else oidc_routes(door, door.oidc, inside, pages.explained)),
        Route(inside, answering(pages.enter), methods=["GET"]),
        Route(inside, answering(pages.sign_in), methods=["POST"]),
        Route(f"{inside}/name", answering(pages.ask_name), methods=["GET"]),
        Route(f"{inside}/name", answering(pages.take_name), methods=["POST"]),
        Route(f"{inside}/you", answering(pages.you), methods=["GET"]),
        Route(f"{inside}/out", answering(pages.sign_out), methods=["POST"]),
        Route(f"{inside}/door.css", _file(_HERE / "door.css", "text/css"), methods=["GET"]),
        Route(
            f"{inside}/icon.svg",
            _file(_HERE.parent / "assets" / "icon.svg", "image/svg+xml"),
            methods=["GET"],
        ),
    ]


class _Pages:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def enter(self, request: Request) -> Response:
        return await run_in_threadpool(self._enter, request)

    async def sign_in(self, request: Request) -> Response:
        return await run_in_threadpool(self._sign_in, request, await read_form(request))

    async def ask_name(self, request: Request) -> Response:
        return await run_in_threadpool(self._ask_name, request)

    async def take_name(self, request: Request) -> Response:
        return await run_in_threadpool(self._take_name, request, await read_form(request))

    async def you(self, request: Request) -> Response:
        return await run_in_threadpool(self._you, request)

    async def sign_out(self, request: Request) -> Response:
        return await run_in_threadpool(self._sign_out, request)

    def explained(self, handler: Handler) -> Handler:
        """The handler, whose refusal becomes the sign-in page with the reason."""

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as refusal:
                return await run_in_threadpool(
                    self._sign_in_page, None, refusal.status, said=refusal.reason
                )

        return handled

    # ---------------------------------------------------------------------- in a worker thread

    def _enter(self, request: Request) -> Response:
        door, wanted = self._door, request.query_params.get("next")
        address = door.safe_next(wanted)
        try:
            visit, project = door.visit(request.scope), door.named_by(address)
            entered = (
                visit.guest is not None and project is not None and door.lets_guests_in(project)
            )
        except ProjectError as error:
            return self._sign_in_page(wanted, 503, said=str(error))
        said = _SAID.get(request.query_params.get("said", ""), "")
        if visit and not door.names_a_project(address):
            return RedirectResponse(address, 303)
        if project is not None and (entered or project.key in visit.visitors):
            return RedirectResponse(address, 303)
        if visit:
            said = (
                "You are not signed in to the project of this address, or it is not here any more."
            )
        return self._sign_in_page(wanted, said=said, elsewhere=bool(visit))

    def _sign_in(self, request: Request, form: dict[str, str]) -> Response:
        door, name = self._door, form.get("name", "")
        address = door.proxies.client_of(request.scope, request.headers)
        wanted = door.safe_next(form.get("next"))
        found = sign_in_everywhere(
            door, name, form.get("password", ""), address, door.named_by(wanted)
        )
        if found.refused is not None:
            status = 429 if isinstance(found.refused, TooManyAttempts) else 403
            if isinstance(found.refused, ProjectError):
                status = 503
            return self._sign_in_page(form.get("next"), status, said=str(found.refused), name=name)
        response = RedirectResponse(wanted, 303)
        for project, token in found.tokens:
            door.put_cookie(response, request.scope, door.cookie(project), token)
        return response

    def _ask_name(self, request: Request) -> Response:
        if not self._has_pass(request):
            return RedirectResponse(self._door.path(f"{DOOR}?said=used"), 303)
        return self._name_page(request.query_params.get("next"))

    def _take_name(self, request: Request, form: dict[str, str]) -> Response:
        door = self._door
        if not self._has_pass(request):
            return RedirectResponse(door.path(f"{DOOR}?said=used"), 303)
        wanted, name = door.safe_next(form.get("next")), form.get("name", "")
        response = RedirectResponse(wanted, 303)
        project = door.named_by(wanted)
        try:
            if door.projects.several:
                name = checked_name(name)
            guests = project is not None and door.lets_guests_in(project)
            if not guests and not door.projects.several:
                return self._sign_in_page(form.get("next"), 403, said=_PASSWORD_SET)
            if project is not None and guests:
                name = take_in(project, name).name
                token = project.state().workbench.people.let_in(name)
                door.put_cookie(response, request.scope, door.cookie(project), token)
        except (PeopleError, ProjectError) as refused:
            return self._name_page(form.get("next"), 403, said=str(refused), name=name)
        door.entrance.spend(request.cookies.get(door.pass_cookie, ""), door.projects.now())
        if door.projects.several:
            door.put_cookie(response, request.scope, door.guest_cookie, door.entrance.admit(name))
        door.drop_cookie(response, request.scope, door.pass_cookie)
        return response

    def _you(self, request: Request) -> Response:
        door = self._door
        try:
            visit = visit_of(request.scope)
        except Refused:
            return RedirectResponse(door.path(DOOR), 303)
        named = [
            (_name_of(project), visit.visitors[project.key].person)
            for project in door.projects.all()
            if project.key in visit.visitors
        ]
        tokens = [each.token for each in visit.visitors.values()]
        return self._page(
            "you",
            "Account",
            several=door.projects.several,
            people=[(where, person.name, person.role.value) for where, person in named],
            name=visit.guest or "",
            can_leave=visit.guest is not None or any(token is not None for token in tokens),
            home=door.path("/"),
        )

    def _sign_out(self, request: Request) -> Response:
        door, guest = self._door, self._door.guest(request.scope)
        held = [each for each in door.projects.all() if door.cookie(each) in request.cookies]
        if not held and guest is None:
            visit_of(request.scope)  # raises for nobody
        said = "out" if sign_out_everywhere(door, request.cookies) else "part"
        response = RedirectResponse(door.path(f"{DOOR}?said={said}"), 303)
        for project in held:
            door.drop_cookie(response, request.scope, door.cookie(project))
        if guest is not None:
            door.entrance.dismiss(request.cookies.get(door.guest_cookie, ""))
            door.drop_cookie(response, request.scope, door.guest_cookie)
        return response

    # --------------------------------------------------------------------------------- pieces

    def _has_pass(self, request: Request) -> bool:
        given = request.cookies.get(self._door.pass_cookie, "")
        return self._door.entrance.holds(given, self._door.projects.now())

    def _sign_in_page(
        self, wanted: str | None, status: int = 200, *, elsewhere: bool = False, **more: Any
    ) -> Response:
        accounts = self._door.has_accounts()
        closed = accounts is False and self._door.entrance.token is not None
        page = "closed" if closed else "password"
        title = "Sign in" if page == "password" else "Not signed in"
        oidc, wanted = self._door.oidc, self._door.safe_next(wanted)
        provider = "" if oidc is None else oidc.host
        home = self._door.path("/") if elsewhere else ""
        return self._page(
            page,
            title,
            status,
            next=wanted,
            provider=provider,
            accounts=accounts is not False,
            printed=accounts is None and self._door.entrance.token is not None,
            home=home,
            **more,
        )

    def _name_page(self, wanted: str | None, status: int = 200, **more: str) -> Response:
        return self._page(
            "name",
            "What is your name?",
            status,
            next=self._door.safe_next(wanted),
            known=self._door.people_without_password(),
            several=self._door.projects.several,
            **more,
        )

    def _page(self, page: str, title: str, status: int = 200, **values: Any) -> Response:
        return door_page(self._door, page, title, status, **values)


def door_page(door: Door, page: str, title: str, status: int = 200, **values: Any) -> Response:
    """One of the pages of `door.html`."""
    unset = dict.fromkeys(("said", "name", "provider", "home"), "")
    flags = dict.fromkeys(("known", "several", "printed"), False)
    named = {"page": page, "title": title, "door": door.path(DOOR)}
    html = _template().render(unset | flags | named | values)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def _name_of(project: Served) -> str:
    """The name of a project, or that of its folder where it cannot be read now."""
    try:
        return project.state().workbench.session.settings().name
    except WorkbenchError:
        return project.folder.name


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises Refused for anything else."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "type", "The body must be a form.")
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refused(400, "form", "The body is not a form.") from None


@cache
def _template() -> Any:
    # The template is a file of this package; every value in it is escaped.
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=select_autoescape(), trim_blocks=True
    )
    return environment.get_template("door.html")


def _file(path: Path, media_type: str) -> Any:
    async def send(_request: Request) -> Response:
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    return send
