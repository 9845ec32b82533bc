"""The pages of the door: sign in with a password, give a name once, sign out.

    GET  /alw/door        sign in, or how to get in
    POST /alw/door        name and password
    GET  /alw/door/name   who brought the one-time token gives a name; POST remembers it
    GET  /alw/door/you    who is signed in
    POST /alw/door/out    sign out

They are plain forms without a script.
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

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import PeopleError, ProjectError, TooManyAttempts
from ui.door.oidc import oidc_routes
from ui.door.settings import DOOR, Door
from ui.door.visitor import visitor_of
from ui.refusal import Handler, Refused, answering

_HERE = Path(__file__).parent
_SAID = {
    "used": "This address was used already, or belongs to an earlier start of the server.",
    "out": "You are signed out.",
}
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
        self._people = door.state.workbench.people

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
        if self._door.identify(request.scope) is not None:
            return RedirectResponse(self._door.safe_next(request.query_params.get("next")), 303)
        said = _SAID.get(request.query_params.get("said", ""), "")
        return self._sign_in_page(request.query_params.get("next"), said=said)

    def _sign_in(self, request: Request, form: dict[str, str]) -> Response:
        name = form.get("name", "")
        address = self._door.proxies.client_of(request.scope, request.headers)
        try:
            token = self._people.sign_in(name, form.get("password", ""), address)
        except (PeopleError, ProjectError) as refused:
            status = 429 if isinstance(refused, TooManyAttempts) else 403
            if isinstance(refused, ProjectError):
                status = 503
            return self._sign_in_page(form.get("next"), status, said=str(refused), name=name)
        return self._let_in(request, token, form.get("next"))

    def _ask_name(self, request: Request) -> Response:
        if not self._has_pass(request):
            return RedirectResponse(self._door.path(f"{DOOR}?said=used"), 303)
        return self._name_page(request.query_params.get("next"))

    def _take_name(self, request: Request, form: dict[str, str]) -> Response:
        if not self._has_pass(request):
            return RedirectResponse(self._door.path(f"{DOOR}?said=used"), 303)
        name = form.get("name", "")
        known = self._people.named(name)
        if known is not None and known.has_password:
            said = f"{known.name} has a password. Sign in with it, or give another name."
            return self._name_page(form.get("next"), 403, said=said, name=name)
        try:
            person = known or self._people.add(name, PersonRole.MANAGER)
            token = self._people.let_in(person.name)
        except (PeopleError, ProjectError) as refused:
            return self._name_page(form.get("next"), 403, said=str(refused), name=name)
        now = self._door.state.workbench.session.now()
        self._door.entrance.spend(request.cookies.get(self._door.pass_cookie, ""), now)
        response = self._let_in(request, token, form.get("next"))
        self._door.drop_cookie(response, request.scope, self._door.pass_cookie)
        return response

    def _you(self, request: Request) -> Response:
        try:
            visitor = visitor_of(request.scope)
        except Refused:
            return RedirectResponse(self._door.path(DOOR), 303)
        return self._page(
            "you",
            "Account",
            name=visitor.person.name,
            role=visitor.person.role.value,
            can_leave=visitor.token is not None,
            home=self._door.path("/"),
        )

    def _sign_out(self, request: Request) -> Response:
        visitor = visitor_of(request.scope)
        if visitor.token is not None:
            self._people.sign_out(visitor.token)
        response = RedirectResponse(self._door.path(f"{DOOR}?said=out"), 303)
        self._door.drop_cookie(response, request.scope, self._door.cookie)
        return response

    # --------------------------------------------------------------------------------- pieces

    def _let_in(self, request: Request, token: str, wanted: str | None) -> Response:
        response = RedirectResponse(self._door.safe_next(wanted), 303)
        self._door.put_cookie(response, request.scope, self._door.cookie, token)
        return response

    def _has_pass(self, request: Request) -> bool:
        given = request.cookies.get(self._door.pass_cookie, "")
        return self._door.entrance.holds(given, self._door.state.workbench.session.now())

    def _sign_in_page(self, wanted: str | None, status: int = 200, **more: Any) -> Response:
        accounts = any(each.active and each.has_password for each in self._people.all())
        page = "password" if accounts or self._door.entrance.token is None else "closed"
        title = "Sign in" if page == "password" else "Not signed in"
        oidc, wanted = self._door.oidc, self._door.safe_next(wanted)
        provider = "" if oidc is None else oidc.host
        return self._page(
            page, title, status, next=wanted, provider=provider, accounts=accounts, **more
        )

    def _name_page(self, wanted: str | None, status: int = 200, **more: str) -> Response:
        known = [p.name for p in self._people.all() if p.active and not p.has_password]
        return self._page(
            "name",
            "What is your name?",
            status,
            next=self._door.safe_next(wanted),
            known=known,
            **more,
        )

    def _page(self, page: str, title: str, status: int = 200, **values: Any) -> Response:
        html = _template().render(
            {"said": "", "name": "", "known": [], "provider": ""}
            | {"page": page, "title": title, "door": self._door.path(DOOR)}
            | values
        )
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


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
