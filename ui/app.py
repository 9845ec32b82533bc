"""The application: pages and our own routes on one server, over one open project, behind the guard.

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
from ui.door.settings import Door
from ui.job_worker import JobWorker
from ui.routes import make_routes
from ui.state import install

STOP_SECONDS = 5.0
"""How long a running computation is waited for when the server is shut down."""


def build(
    door: Door,
    close: Callable[[], None] | None = None,
    ready: Callable[[], None] | None = None,
    worker: JobWorker | None = None,
) -> App:
    """The application over the open project of this door.

    `ready` is called once requests are answered; `close` when the server has stopped, after the
    running computation was given `STOP_SECONDS` to stop. `worker` computes; without it, this process does.
    """
    state = door.state
    install(state)

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[dict[str, Any] | None]:
        state.jobs.watch(worker)
        if ready is not None:
            ready()
        try:
            yield None
        finally:
            state.pictures.stop(STOP_SECONDS)
            state.jobs.stop(STOP_SECONDS)
            if worker is not None:
                worker.kill()
                state.jobs.wait(STOP_SECONDS)
                worker.close()
            if close is not None:
                close()

    return App(
        Path(ui.__file__).parent / "script.py",
        routes=make_routes(door),
        middleware=[Middleware(Guard, door)],
        lifespan=lifespan,
    )
