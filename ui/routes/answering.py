"""How every route of ours is answered: who may call, in a worker thread, and a plain reason for a failure.

A refusal carries `"refused": true`, and sending the same thing again would be refused again; any other
failure is worth another try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import (
    LeaseLost,
    NoOpenRound,
    NothingToCorrect,
    NothingToUndo,
    NotInProject,
    ProjectError,
    UnknownItem,
    WorkbenchError,
)
from alworkbench.core.unexpected import keep_trace, what_to_do
from ui.door.visitor import visitor_of
from ui.messages import MAX_BODY, read_json
from ui.refusal import Handler, Refused
from ui.state import UiState

_log = logging.getLogger(__name__)

Json = dict[str, Any]
Read = Callable[[Request, Person], Response | Json]
Write = Callable[[Json, Person], Json]


class OurRoute(Route):
    """A route below our prefix, for people with at least this role."""

    def __init__(
        self, path: str, handler: Handler, method: str, needed: PersonRole, state: UiState
    ) -> None:
        super().__init__(path, _answered(handler, state), methods=[method])
        self.needed = needed


def reading(state: UiState, path: str, needed: PersonRole, work: Read) -> OurRoute:
    """A GET route. `work` gets the request and the person who asks; it runs in a worker thread."""

    async def handler(request: Request) -> Response:
        person = visitor_of(request.scope, needed).person
        found = await run_in_threadpool(work, request, person)
        return found if isinstance(found, Response) else as_json(found)

    return OurRoute(path, handler, "GET", needed, state)


def writing(
    state: UiState, path: str, needed: PersonRole, work: Write, most: int = MAX_BODY
) -> OurRoute:
    """A POST route. `work` gets the JSON object of the body and the person; it runs in a worker thread.

    `most` are the bytes that a body may have. The header `Server-Timing` says how many milliseconds the route
    took, the wait for a thread included.
    """

    async def handler(request: Request) -> Response:
        began = time.perf_counter()
        person = visitor_of(request.scope, needed).person
        reply = as_json(await run_in_threadpool(work, await read_json(request, most), person))
        reply.headers["Server-Timing"] = f"route;dur={1000 * (time.perf_counter() - began):.1f}"
        return reply

    return OurRoute(path, handler, "POST", needed, state)


def as_json(content: Json, status: int = 200) -> JSONResponse:
    """An answer that no browser keeps."""
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})


def _answered(handler: Handler, state: UiState) -> Handler:
    """Every failure becomes a status and a plain reason; what went wrong inside stays inside."""
    folder = state.workbench.session.folder.path

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as problem:
            return problem.as_json()
        except LeaseLost as problem:
            final, status, code, reason = True, 409, "lease_lost", str(problem)
        except NothingToCorrect as problem:
            final, status, code, reason = True, 409, "nothing_to_correct", str(problem)
        except NothingToUndo as problem:
            final, status, code, reason = True, 409, "nothing_to_undo", str(problem)
        except (UnknownItem, NotInProject) as problem:
            final, status, code, reason = True, 404, "item", str(problem)
        except NoOpenRound as problem:
            final, status, code, reason = True, 409, "no_open_round", str(problem)
        except ProjectError as problem:
            # A full disk or a busy database passes: the answer waits in the browser meanwhile.
            final, status, code, reason = False, 503, "project", str(problem)
        except WorkbenchError as problem:
            final, status, code, reason = True, 409, "refused", str(problem)
        except Exception as problem:
            _log.exception("a request of a page failed")
            final, status, code = False, 500, "server"
            trace = await run_in_threadpool(keep_trace, problem, folder)
            reason = "An unexpected error stopped this request. " + what_to_do(
                trace, "The page tries again by itself"
            )
        return Refused(status, code, reason, final=final).as_json()

    return answered
