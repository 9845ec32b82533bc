"""The routes that the labelling component talks to, beside Streamlit's own.

    GET  /alw/image/{hash}   the picture, by content, cached for good
    POST /alw/queue          the images leased to this tab of the person, in order
    POST /alw/answer         one answer; acknowledged when it is durable
    POST /alw/undo           take an answer of the person back
    POST /alw/release        give images back that a closed tab held

Who asks is found out by `ui.door.guard`; a request never says so.

A label never passes through a Streamlit rerun: what a key answers is the picture that was on screen
when it was pressed, however busy the server is. A refusal carries `"refused": true`, and sending the
same thing again would be refused again; any other failure is worth another try.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from alworkbench.core.domain import Answer, ClassList, ClassSets, Item, Person, Round
from alworkbench.core.errors import (
    LeaseLost,
    NoOpenRound,
    NothingToUndo,
    NotInProject,
    ProjectError,
    UnknownItem,
    WorkbenchError,
)
from alworkbench.core.unexpected import keep_trace, what_to_do
from alworkbench.project.late_answers import KEPT, WHY_LATE
from ui.door.pages import door_routes
from ui.door.settings import Door
from ui.door.visitor import visitor_of
from ui.messages import (
    AnswerMessage,
    parse_answer,
    parse_release,
    parse_tab,
    parse_undo,
    read_json,
)
from ui.refusal import Refused
from ui.state import UiState

QUEUE_LIMIT = 24
"""Images leased at once: enough to go on through a short outage, few enough to leave for others."""

_log = logging.getLogger(__name__)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_IMAGE_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
}

Handler = Callable[[Request], Awaitable[Response]]


def make_routes(door: Door) -> list[BaseRoute]:
    """Our routes, to be mounted beside Streamlit's."""
    desk = _Desk(door.state)
    folder = door.state.workbench.session.folder.path
    return [
        Mount(
            door.state.routes,
            routes=[
                *door_routes(door),
                Route("/image/{content_hash}", _guarded(desk.image, folder), methods=["GET"]),
                Route("/queue", _guarded(desk.queue, folder), methods=["POST"]),
                Route("/answer", _guarded(desk.answer, folder), methods=["POST"]),
                Route("/undo", _guarded(desk.undo, folder), methods=["POST"]),
                Route("/release", _guarded(desk.release, folder), methods=["POST"]),
            ],
        )
    ]


class _Desk:
    """Each handler asks who calls, then works in a thread so that the event loop never waits."""

    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    async def image(self, request: Request) -> Response:
        visitor_of(request.scope)
        content_hash = request.path_params["content_hash"]
        if not _HASH.fullmatch(content_hash):
            raise Refused(404, "image", "This project has no such image.")
        return await run_in_threadpool(self._image, content_hash)

    async def queue(self, request: Request) -> Response:
        person = visitor_of(request.scope).person
        return _json(await run_in_threadpool(self._queue, person, await read_json(request)))

    async def answer(self, request: Request) -> Response:
        person = visitor_of(request.scope).person
        return _json(await run_in_threadpool(self._answer, person, await read_json(request)))

    async def undo(self, request: Request) -> Response:
        person = visitor_of(request.scope).person
        return _json(await run_in_threadpool(self._undo, person, await read_json(request)))

    async def release(self, request: Request) -> Response:
        person = visitor_of(request.scope).person
        return _json(await run_in_threadpool(self._release, person, await read_json(request)))

    # ---------------------------------------------------------------------- in a worker thread

    def _image(self, content_hash: str) -> Response:
        try:
            picture = self._workbench.images.display(content_hash)
        except (WorkbenchError, LookupError):
            raise Refused(404, "image", "This project has no such image.") from None
        if picture.media_type not in _MEDIA_TYPES:
            raise Refused(404, "image", "This image has no form that a browser can show.")
        return Response(picture.data, media_type=picture.media_type, headers=_IMAGE_HEADERS)

    def _queue(self, person: Person, body: dict[str, Any]) -> dict[str, Any]:
        tab = parse_tab(body)
        try:
            items = self._workbench.labels.claim(person.name, QUEUE_LIMIT, tab)
        except NoOpenRound:
            items = []
        classes, sets = self._workbench.classes.current(), self._sets()
        now = datetime.now(UTC)
        ends = [item.lease.until for item in items if item.lease is not None]
        return {
            "progress": self._progress(),
            "items": [self._item(item, classes, sets) for item in items],
            "limit": QUEUE_LIMIT,
            "lease_seconds": max(0.0, (min(ends) - now).total_seconds()) if ends else None,
        }

    def _answer(self, person: Person, body: dict[str, Any]) -> dict[str, Any]:
        message = parse_answer(body, self._workbench.classes.current())
        label = self._workbench.labels.record(
            Answer(
                event_id=message.event_id,
                image_id=self._find_item(message).image_id,
                kind=message.kind,
                annotator=person.name,
                class_id=message.class_id,
                item_id=message.item_id,
                lease_token=message.lease_token,
                duration_ms=message.duration_ms,
                suggested_class_id=message.suggested_class_id,
            )
        )
        return {
            "stored": True,
            "event_id": label.event_id,
            "late": None if label.late is None else f"{WHY_LATE[label.late]} {KEPT}",
            "progress": self._progress(),
        }

    def _undo(self, person: Person, body: dict[str, Any]) -> dict[str, Any]:
        message = parse_undo(body)
        taken_back = self._workbench.labels.undo(person.name, message.event_id, message.answer)
        # The image is open again: lease it again, so that it can be answered at once.
        again = None
        if self._workbench.rounds.current() is not None:
            claimed = self._workbench.labels.claim(person.name, QUEUE_LIMIT, message.tab)
            again = next((i for i in claimed if i.id == taken_back.item_id), None)
        return {
            "stored": True,
            "event_id": message.event_id,
            "item_id": taken_back.item_id,
            "item": None
            if again is None
            else self._item(again, self._workbench.classes.current(), self._sets()),
            "progress": self._progress(),
        }

    def _release(self, person: Person, body: dict[str, Any]) -> dict[str, Any]:
        tab, items = parse_release(body)
        self._workbench.labels.release(person.name, tab, items)
        return {"released": True}

    def _find_item(self, message: AnswerMessage) -> Item:
        """The item answered; an answer that was sent twice may belong to a closed round."""
        item = self._workbench.rounds.item(message.item_id)
        if item is not None:
            return item
        raise Refused(404, "item", "No round of this project asks for this image.")

    def _progress(self) -> dict[str, Any] | None:
        round_: Round | None = self._workbench.rounds.current()
        if round_ is None:
            return None
        count = self._workbench.rounds.count(round_.id)
        return {
            "round_id": round_.id,
            "round": round_.number,
            "answered": count.answers,
            "total": count.wanted,
        }

    def _sets(self) -> ClassSets | None:
        round_ = self._workbench.rounds.current()
        return None if round_ is None else round_.class_sets

    def _item(self, item: Item, classes: ClassList, sets: ClassSets | None) -> dict[str, Any]:
        image = self._workbench.images.get(item.image_id)
        suggestion = None
        shown = item.shown_suggestion
        if shown is not None:
            index = classes.index_of_id(shown.class_id)
            if index is not None:  # a class that was removed since is not suggested
                suggestion = {
                    "class_id": shown.class_id,
                    "name": classes.classes[index].name,
                    "probability": shown.probability,
                }
        return {
            "item_id": item.id,
            "position": item.position,
            "image_url": f"{self._state.routes}/image/{image.hash}",
            "width": image.width,
            "height": image.height,
            "lease_token": None if item.lease is None else item.lease.token,
            "suggestion": suggestion,
            "likely": [] if sets is None or item.blind else list(sets.shown(item.position)),
        }


def _json(content: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})


def _guarded(handler: Handler, folder: Path) -> Handler:
    """Every failure becomes a status and a plain reason; what went wrong inside stays inside."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as problem:
            final, status, code, reason = (
                problem.final,
                problem.status,
                problem.code,
                problem.reason,
            )
        except LeaseLost as problem:
            final, status, code, reason = True, 409, "lease_lost", str(problem)
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
            _log.exception("a request of the labelling page failed")
            final, status, code = False, 500, "server"
            trace = await run_in_threadpool(keep_trace, problem, folder)
            reason = "An unexpected error stopped this request. " + what_to_do(
                trace, "The page tries again by itself"
            )
        return _json({"refused": final, "code": code, "reason": reason}, status)

    return guarded
