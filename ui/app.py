"""The application: pages and our own routes on one server, over one open project.

`create_app` is a factory, so that any ASGI server can run it
(`ALWORKBENCH_PROJECT=FOLDER uvicorn --factory ui.app:create_app`); `ui.serve` is the way that
checks the port and sets Streamlit's options.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from streamlit.starlette import App

import ui
from alworkbench.api import open_project
from ui.guard import SecurityHeaders
from ui.routes import make_routes
from ui.state import UiState, install

PROJECT_VARIABLE = "ALWORKBENCH_PROJECT"
STOP_SECONDS = 5.0
"""How long a running computation is waited for when the server is shut down."""


def open_state(project: Path, device: str = "auto") -> tuple[UiState, Callable[[], None]]:
    """Open the project in this folder: the state for `build`, and what closes it again.

    Raises ProjectMissing, ProjectTooNew and DeviceUnavailable.
    """
    workbench = open_project(project, device=device)
    return UiState(workbench), workbench.close


def build(
    state: UiState,
    close: Callable[[], None] | None = None,
    ready: Callable[[], None] | None = None,
) -> App:
    """The application over an open project.

    `ready` is called once requests are answered; `close` when the server has stopped, after the
    running computation was given `STOP_SECONDS` to stop.
    """
    install(state)

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[dict[str, Any] | None]:
        if ready is not None:
            ready()
        try:
            yield None
        finally:
            state.jobs.stop(STOP_SECONDS)
            if close is not None:
                close()

    return App(
        Path(ui.__file__).parent / "script.py",
        routes=make_routes(state),
        middleware=[Middleware(SecurityHeaders)],
        lifespan=lifespan,
    )


def create_app() -> App:
    """The application over the project that the environment names."""
    project = os.environ.get(PROJECT_VARIABLE)
    if not project:
        raise RuntimeError(
            f"{PROJECT_VARIABLE} names no project folder. Set it, or use `alworkbench serve`."
        )
    state, close = open_state(Path(project))
    return build(state, close)
