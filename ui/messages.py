"""What the labelling page may send, parsed strictly: everything that is not expected is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from alworkbench.core.domain import AnswerKind, ClassList
from alworkbench.inputs.rendition import SIDES
from ui.door.limits import content_length
from ui.refusal import Refused

MAX_BODY = 4096
"""Bytes; an answer needs about 300."""
_MAX_ID = 2**63 - 1
_MAX_DURATION_MS = 7 * 24 * 3600 * 1000
_EVENT_ID = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)
MOST_RELEASED = 100
"""Items of one release; a tab holds fewer."""


@dataclass(frozen=True, slots=True)
class AnswerMessage:
    """An answer as a page sends it."""

    event_id: str
    item_id: int
    lease_token: str
    kind: AnswerKind
    class_id: int | None
    duration_ms: int | None
    suggested_class_id: int | None


@dataclass(frozen=True, slots=True)
class UndoMessage:
    """The wish to take back an answer."""

    event_id: str
    tab: str
    answer: str | None
    """The event id of the answer; None: the newest of the person."""


@dataclass(frozen=True, slots=True)
class RelabelMessage:
    """A new answer in place of an earlier one."""

    event_id: str
    answer: str
    """The event id of the earlier answer."""
    kind: AnswerKind
    class_id: int | None
    duration_ms: int | None


async def read_json(request: Request, most: int = MAX_BODY) -> dict[str, Any]:
    """The body, of at most `most` bytes, as a JSON object. Raises Refused for anything else."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused(415, "type", "The body must be application/json.")
    announced = content_length(request.headers)
    if announced is not None and announced > most:
        raise Refused(413, "size", f"The body is longer than {most} bytes.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(413, "size", f"The body is longer than {most} bytes.")
    try:
        parsed = json.loads(body.decode("utf-8", errors="strict"))
    except (ValueError, RecursionError):
        raise Refused(400, "json", "The body is not valid JSON.") from None
    if not isinstance(parsed, dict):
        raise Refused(400, "json", "The body must be one JSON object.")
    return parsed


def parse_answer(body: dict[str, Any], classes: ClassList) -> AnswerMessage:
    """An answer of the labelling page. Raises Refused with the field that is wrong."""
    needed = {"event_id", "item_id", "lease_token", "kind", "class_id"}
    check_fields(body, needed, {"duration_ms", "suggested_class_id"})
    kind, class_id = parse_kind(body, classes)
    token = body["lease_token"]
    if not isinstance(token, str) or not 1 <= len(token) <= 200:
        raise Refused(422, "lease_token", "`lease_token` must be a text of 1 to 200 characters.")
    return AnswerMessage(
        event_id=_event_id(body),
        item_id=integer(body, "item_id", 0, _MAX_ID),
        lease_token=token,
        kind=kind,
        class_id=class_id,
        duration_ms=_optional_integer(body, "duration_ms", 0, _MAX_DURATION_MS),
        suggested_class_id=_optional_integer(body, "suggested_class_id", 0, _MAX_ID),
    )


def parse_relabel(body: dict[str, Any], classes: ClassList) -> RelabelMessage:
    """A new answer of the labelling page in place of an earlier one. Raises Refused with the wrong field."""
    check_fields(body, {"event_id", "answer", "kind", "class_id"}, {"duration_ms"})
    kind, class_id = parse_kind(body, classes)
    duration = _optional_integer(body, "duration_ms", 0, _MAX_DURATION_MS)
    answer = body["answer"]  # answers of acts, files and reviews have event ids of other forms
    if not isinstance(answer, str) or not 1 <= len(answer) <= 200:
        raise Refused(422, "answer", "`answer` must be a text of 1 to 200 characters.")
    return RelabelMessage(_event_id(body), answer, kind, class_id, duration)


def parse_kind(body: dict[str, Any], classes: ClassList) -> tuple[AnswerKind, int | None]:
    """Kind and class of an answer. Raises Refused with the field that is wrong."""
    try:
        kind = AnswerKind(body["kind"])
    except ValueError:
        kinds = ", ".join(AnswerKind)
        raise Refused(422, "kind", f"`kind` must be one of {kinds}.") from None
    class_id = _optional_integer(body, "class_id", 0, _MAX_ID)
    if (kind is AnswerKind.CLASS) != (class_id is not None):
        raise Refused(
            422,
            "class_id",
            "Only an answer of the kind `class` has a `class_id`, and it must have one.",
        )
    unknown = class_id is not None and classes.index_of_id(class_id) is None
    if unknown and class_id in classes.given_names:
        raise Refused(
            422,
            "class_id",
            f"The class {classes.given_names[class_id]!r} is not in use any more. Reload the page to see "
            f"the present classes. The answer was not recorded.",
        )
    if unknown:
        raise Refused(422, "class_id", "This project has no class with this `class_id`.")
    return kind, class_id


def parse_undo(body: dict[str, Any]) -> UndoMessage:
    """A take-back of the labelling page. Raises Refused with the field that is wrong."""
    check_fields(body, {"event_id", "tab"}, {"answer"})
    answer = None if body.get("answer") is None else random_text(body, "answer")
    return UndoMessage(_event_id(body), random_text(body, "tab"), answer)


def parse_queue(body: dict[str, Any]) -> tuple[str, int | None]:
    """The tab that asks for its queue, and the side of the renditions that it will show; None: the full size.

    Raises Refused with the field that is wrong.
    """
    check_fields(body, {"tab"}, {"side"})
    side = _optional_integer(body, "side", min(SIDES), max(SIDES))
    if side is not None and side not in SIDES:
        raise Refused(422, "side", f"`side` must be one of {', '.join(map(str, SIDES))}.")
    return random_text(body, "tab"), side


def parse_release(body: dict[str, Any]) -> tuple[str, list[int]]:
    """A tab, and the ids of the items that it gives back. Raises Refused with the field that is wrong."""
    check_fields(body, {"tab", "items"}, set())
    items = body["items"]
    if not isinstance(items, list) or len(items) > MOST_RELEASED:
        raise Refused(422, "items", f"`items` must be a list of at most {MOST_RELEASED} ids.")
    ids = [integer({"items": each}, "items", 0, _MAX_ID) for each in items]
    return random_text(body, "tab"), ids


def check_fields(body: dict[str, Any], needed: set[str], optional: set[str]) -> None:
    """Raises Refused for a missing field, and for one that is not expected."""
    if missing := needed - body.keys():
        raise Refused(422, "fields", f"These fields are missing: {', '.join(sorted(missing))}.")
    if len(body.keys() - needed - optional):
        raise Refused(422, "fields", "The body has unknown fields.")


def _event_id(body: dict[str, Any]) -> str:
    return random_text(body, "event_id")


def random_text(body: dict[str, Any], name: str) -> str:
    """A text that a browser made at random. Raises Refused."""
    found = body[name]
    if not isinstance(found, str) or not _EVENT_ID.fullmatch(found):
        raise Refused(422, name, f"`{name}` must be 16 to 64 letters, digits or hyphens.")
    return found


def integer(body: dict[str, Any], name: str, low: int, high: int) -> int:
    """A whole number between both bounds. Raises Refused."""
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(422, name, f"`{name}` must be a whole number from {low} to {high}.")
    return value


def text(body: dict[str, Any], name: str, most: int) -> str:
    """A text of 1 to `most` characters. Raises Refused."""
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise Refused(422, name, f"`{name}` must be a text of 1 to {most:,} characters.")
    return value


def _optional_integer(body: dict[str, Any], name: str, low: int, high: int) -> int | None:
    return None if body.get(name) is None else integer(body, name, low, high)
