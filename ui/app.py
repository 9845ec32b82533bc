"""The application: pages and our own routes on one server, over its projects, behind the guard.

`ui.serve` runs it. It cannot be started by another ASGI server: only `ui.serve` knows under which addresses
it is reached, and whether somebody can sign in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from streamlit.starlette import App

import ui
from ui.door.guard import Guard
from ui.door.nowhere import NoSuchPage
from ui.door.settings import Door
from ui.pages import PAGES, pages_of
from ui.routes import make_routes
from ui.state import install

STOP_SECONDS = 5.0
"""How long a running computation is waited for when the server is shut down."""


def build(door: Door, ready: Callable[[], None] | None = None) -> App:
    """The application over the projects of this door.

    `ready` is called once requests are answered. When the server has stopped, running computations were given
    `STOP_SECONDS` to stop, and the projects are closed.
    """
    projects = door.projects
    install(projects)

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[dict[str, Any] | None]:
        projects.start()
        if ready is not None:
            ready()
        try:
            yield None
        finally:
            projects.stop(STOP_SECONDS)
            projects.close()

    pages = frozenset({"home", *(each.url for each in PAGES)})
    return App(
        Path(ui.__file__).parent / "script.py",
        routes=[*make_routes(door), NoSuchPage(door, pages, pages_of)],
        middleware=[Middleware(Guard, door)],
        lifespan=lifespan,
    )
