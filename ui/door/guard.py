"""The guard: it stands in front of everything, HTTP and WebSocket, Streamlit's own routes included.

A request goes through these checks in this order. What is refused reaches neither Streamlit nor a route.

    headers   not too many, too long or repeated
    Host      exactly one of the names of this server, with its port
    Origin    exactly this server's; required for a WebSocket and for everything but GET and HEAD
    site      what the browser says of the page that asks, where it says so
    session   a person who is signed in and active; only the door and the health check need none. A route of
              a project, and a page that names a project, need a person of this very project
    role      that of the address; pages and routes check theirs again
    body      read before anybody uses it, within its size and its time

Each message on a WebSocket checks all sessions of the browser again: a person who was disabled in one of the
projects is stopped at the next message, and the page connects again without this project.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import ProjectError
from ui.door import limits
from ui.door.arrival import arrive, here
from ui.door.headers import with_headers
from ui.door.settings import DOOR, Door
from ui.door.visitor import (
    PERSON_HEADER,
    Visit,
    check_role,
    leave_visit,
    leave_visitor,
    signed_out,
)
from ui.refusal import Refused
from ui.state import PREFIX

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
HEALTH = "/_stcore/health"
UPLOADS = "/_stcore/upload_file"
FOR_MANAGERS = (UPLOADS, "/_stcore/metrics", "/_stcore/script-health-check")
"""Addresses of Streamlit, and all below them, that no page uses for anybody else."""
CLOSED = ("/_stcore/agent", "/auth", "/oauth2callback")
"""Addresses of Streamlit that nothing of ours uses."""
POLICY_VIOLATION = 1008


class Guard:
    """ASGI middleware; see the top of this module."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    # --------------------------------------------------------------------------------------- HTTP
    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = self._below_base(_without_our_header(scope))
        send = with_headers(send, self._door.is_secure(scope))
        try:
            answer = await self._check_http(scope)
            if answer is None:
                scope = await self._let_in(scope)
                headers = Headers(scope=scope)
                upload = self._inside(scope).startswith(UPLOADS)
                body = await limits.read_body(
                    headers,
                    receive,
                    limits.MOST_UPLOAD if upload else limits.MOST_BODY,
                    limits.UPLOAD_SECONDS if upload else limits.BODY_SECONDS,
                )
                receive = limits.replay(body, receive)
        except Refused as refusal:
            answer = self._answer(scope, refusal)
        await (answer or self._app)(scope, receive, send)

    async def _check_http(self, scope: Scope) -> Response | None:
        """An answer of the guard itself, or None to go on. Raises Refused."""
        headers, method = Headers(scope=scope), scope["method"]
        limits.check_headers(scope, headers)
        limits.check_path(scope)
        if method not in METHODS:
            raise Refused(405, "method", "This server does not know the method of the request.")
        self._check_host(headers)
        self._check_origin(headers, required=method not in ("GET", "HEAD"))
        _check_site(scope, headers)
        if self._is_below(scope, CLOSED):
            raise Refused(404, "closed", "There is nothing at this address.")
        if method == "GET" and self._is_page(scope):
            return await run_in_threadpool(self._arrive, scope)
        return None

    async def _let_in(self, scope: Scope) -> Scope:
        """The request with who asks. A route of a project is for people of this very project."""
        key = self._door.key_of_route(self._inside(scope))
        if key is not None:
            return await run_in_threadpool(self._let_into, scope, key)
        is_open = self._is_below(scope, (DOOR, HEALTH))
        try:
            visit = await run_in_threadpool(self._visit, scope)
        except Refused:
            if is_open:  # the door leads into other projects than the one that cannot be read
                return scope
            raise
        if visit:
            needed = PersonRole.MANAGER
            if self._is_below(scope, FOR_MANAGERS) and not visit.includes(needed):
                raise Refused(
                    403, "role", f"Only a {needed.value} may do this. Nothing was changed."
                )
            return leave_visit(scope, visit, self._door.projects.proof)
        if is_open:
            return scope
        raise signed_out()

    def _let_into(self, scope: Scope, key: str) -> Scope:
        """Who is not signed in is told the same whether or not there is such a project."""
        door = self._door
        try:
            project = door.projects.get(key)
            visitor = None if project is None else door.identify(scope, project)
            if project is None or visitor is None:
                raise signed_out()
            check_role(visitor.person, PersonRole.ANNOTATOR)
            door.projects.watch(project)
            return leave_visitor(scope, visitor)
        except ProjectError as error:
            raise Refused(503, "project", str(error), final=False) from error

    def _arrive(self, scope: Scope) -> Response | None:
        try:
            return arrive(self._door, scope)
        except ProjectError as error:
            project = self._door.named_by(here(scope))
            if self._door.projects.several and (project is None or project.trouble() is not None):
                return None  # the page says so, and Home shows the others
            # A full disk, or a project that can only be read: its page would send the browser here again.
            raise Refused(503, "project", str(error), final=False) from error

    def _answer(self, scope: Scope, refusal: Refused) -> Response:
        """A page for people who open one, JSON for scripts."""
        if refusal.code == "session" and scope["method"] == "GET" and self._is_page(scope):
            wanted = quote(here(scope), safe="/")
            return RedirectResponse(self._door.path(f"{DOOR}?next={wanted}"), 303)
        if self._is_page(scope):
            return PlainTextResponse(refusal.reason, refusal.status)
        return refusal.as_json()

    # ---------------------------------------------------------------------------------- WebSocket
    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = self._below_base(_without_our_header(scope))
        headers = Headers(scope=scope)
        try:
            limits.check_headers(scope, headers)
            self._check_host(headers)
            self._check_origin(headers, required=True)
            _check_site(scope, headers)
            visit = await run_in_threadpool(self._visit, scope)
            if not visit:
                raise signed_out()
        except Refused:
            # Before the handshake: the browser gets 403, and Streamlit nothing.
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        inside = leave_visit(scope, visit, self._door.projects.proof)

        async def receive_while_signed_in() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            if visit.same_people(await run_in_threadpool(self._visit, scope)):
                return message
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        await self._app(inside, receive_while_signed_in, send)

    # ------------------------------------------------------------------------------------- checks
    def _check_host(self, headers: Headers) -> None:
        if not self._door.addresses.named(headers.get("host")):
            raise Refused(
                403,
                "host",
                "The server does not know the name by which it was called. Start it with --allowed-host and "
                "the name that the address bar shows.",
                final=False,
            )

    def _check_origin(self, headers: Headers, *, required: bool) -> None:
        origin = headers.get("origin")
        if origin is None and not required:
            return
        own = [each.origin for each in self._door.addresses.named(headers.get("host"))]
        if origin not in own:
            words = (
                "The request does not name the page it comes from."
                if origin is None
                else "The request comes from a page of another server."
            )
            raise Refused(403, "origin", words, final=False)

    def _visit(self, scope: Scope) -> Visit:
        try:
            return self._door.visit(scope)
        except ProjectError as error:
            # A busy or full database passes; nobody is let in meanwhile.
            raise Refused(503, "project", str(error), final=False) from error

    # -------------------------------------------------------------------------------------- paths
    def _below_base(self, scope: Scope) -> Scope:
        """The request below the base path, whether or not the proxy in front has removed it."""
        base = self._door.projects.base
        path = scope["path"]
        if not base or path == base or path.startswith(f"{base}/"):
            return scope
        raw = scope.get("raw_path")
        changed = {**scope, "path": base + path}
        return changed if raw is None else {**changed, "raw_path": base.encode() + raw}

    def _inside(self, scope: Scope) -> str:
        path: str = scope["path"].removeprefix(self._door.projects.base)
        return path

    def _is_below(self, scope: Scope, places: tuple[str, ...]) -> bool:
        path = self._inside(scope)
        return any(path == place or path.startswith(f"{place}/") for place in places)

    def _is_page(self, scope: Scope) -> bool:
        """Whether a person opens this address in a tab."""
        headers = Headers(scope=scope)
        return (
            "text/html" in headers.get("accept", "")
            and headers.get("sec-fetch-dest", "document") == "document"
            and not self._is_below(scope, (PREFIX, "/_stcore"))
        )


def _without_our_header(scope: Scope) -> Scope:
    """The request without the header in which the guard names the person."""
    kept = [(n, v) for n, v in scope["headers"] if n.lower().replace(b"_", b"-") != _OURS]
    return {**scope, "headers": kept}


_OURS = PERSON_HEADER.encode()


def _check_site(scope: Scope, headers: Headers) -> None:
    """Raise Refused when the browser says that a page of another site asks for more than to be opened."""
    if headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
        return
    opened = (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not opened:
        raise Refused(
            403, "origin", "The request comes from a page of another server.", final=False
        )
