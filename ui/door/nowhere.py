"""The answer to an address that no page has: it says so, and leads to the pages that there are.

Streamlit would show its first page, and over it a dialog that speaks of running an app.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, URLPath
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from alworkbench.core.domain import Person
from ui.door.arrival import here
from ui.door.pages import door_page
from ui.door.settings import Door
from ui.door.visitor import visit_of
from ui.refusal import Refused
from ui.state import PREFIX, page_address

_FILES = frozenset({PREFIX.strip("/"), "_stcore", "static", "media", "component"})
"""First parts of paths at which our own routes and files of Streamlit are, and no pages."""


class Titled(Protocol):
    """A page of the navigation."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def url(self) -> str:
        """The last part of its address."""


class NoSuchPage(BaseRoute):
    """Takes what a person opens in a tab at an address that no page has. Everything else passes on.

    `pages` are all pages, by the last part of their address; `shown` those that a person may see.
    """

    def __init__(
        self, door: Door, pages: frozenset[str], shown: Callable[[Person], Sequence[Titled]]
    ) -> None:
        self._door = door
        self._pages = pages
        self._shown = shown

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is such an address."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        headers = Headers(scope=scope)
        opened = headers.get("sec-fetch-dest", "document") == "document"
        if not opened or "text/html" not in headers.get("accept", ""):
            return Match.NONE, {}
        inside = scope["path"].removeprefix(self._door.projects.base).strip("/")
        first, _, rest = inside.partition("/")
        if inside in self._pages or first in _FILES or "." in (rest or first).rpartition("/")[2]:
            return Match.NONE, {}
        return (Match.NONE if inside == "" else Match.FULL), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """No address has a name here."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page."""
        try:
            answer = await run_in_threadpool(self._answer, Request(scope))
        except Refused as refused:
            answer = refused.as_json()
        await answer(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        door, visit = self._door, visit_of(request.scope)
        project = door.named_by(here(request.scope))
        visitor = None if project is None else visit.visitors.get(project.key)
        links = []
        if project is not None and visitor is not None:
            links = [
                (
                    each.title,
                    page_address(door.projects.base, each.url, project.key)
                    if door.projects.several
                    else door.path(f"/{each.url}"),
                )
                for each in self._shown(visitor.person)
            ]
        return door_page(
            door,
            "nowhere",
            "There is no such page",
            404,
            address=request.url.path,
            links=links,
            home=door.path("/"),
        )
