"""Who may call our routes: only pages of this server.

Three checks, because each alone has a gap: the Host header (a foreign name that resolves to this
machine), the Origin header (another site's page in the same browser), and a token that only our own
pages are told (programs that send neither). Every response forbids the browser what the page does not need.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.state import UiState

TOKEN_HEADER = "x-alworkbench-token"

# Streamlit needs inline styles, evaluated chart specifications and components from blob URLs.
# Nothing is ever fetched from another host, whatever a class name contains.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


class Refused(Exception):
    """A refused request: an HTTP status, a code for the page, and a reason for the user."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


def check_host(request: Request, state: UiState) -> None:
    """Raise Refused when the server was addressed by a name that it does not answer to."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    if not host:
        raise Refused(400, "host", "The request names no host.")
    if state.allowed_hosts is not None and host not in state.allowed_hosts:
        raise Refused(403, "host", "The host name of the request is not a name of this server.")


def check_same_site(request: Request) -> None:
    """Raise Refused when the browser says that another site's page made the request."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "origin", "The request comes from a page of another server.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refused(403, "origin", "The request comes from a page of another server.")


def check_caller(request: Request, state: UiState) -> None:
    """All checks for a route that reads or writes the project's work. Raises Refused."""
    check_host(request, state)
    check_same_site(request)
    if request.method != "GET" and "origin" not in request.headers:
        raise Refused(403, "origin", "The request does not name the page it comes from.")
    given = request.headers.get(TOKEN_HEADER, "")
    if not secrets.compare_digest(given.encode(), state.token.encode()):
        raise Refused(403, "token", "The page is older than this server. It reloads itself.")


class SecurityHeaders:
    """Adds headers to every HTTP response that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("X-Frame-Options", "SAMEORIGIN")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
                message["headers"] = headers.raw
            await send(message)

        await self._app(scope, receive, send_with_headers)


def content_length(headers: Headers) -> int | None:
    """The announced size of a body in bytes, or None. Raises Refused when it is no number."""
    announced = headers.get("content-length")
    if announced is None:
        return None
    if not announced.isascii() or not announced.isdigit():
        raise Refused(400, "length", "The request has no valid Content-Length.")
    return int(announced)
