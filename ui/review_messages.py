"""What the page of a reviewer may send, parsed strictly: everything that is not expected is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from alworkbench.core.domain import ClassList, ReviewReason
from ui.messages import check_fields, integer, random_text
from ui.refusal import Refused

MOST_LATER = 200
"""Cases that a page remembers as put off."""
LONGEST_NOTE = 500
"""Characters."""
LONGEST_LOOK_MS = 600_000
"""A reviewer who takes longer was away, and the time is not recorded."""
_MAX_ID = 2**53
_MAX_DURATION_MS = 7 * 24 * 3600 * 1000
_VERSION = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Act(StrEnum):
    """What a reviewer does with a case."""

    DECIDE = "decide"
    KEEP = "keep"
    PASS_ON = "pass_on"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """The wish to see the cases that wait."""

    reason: ReviewReason | None
    later: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LookMessage:
    """The wish to see what others said of a case."""

    case_id: int
    blind: bool
    """The reviewer answers before seeing it."""
    answered: bool
    """The reviewer has answered."""


@dataclass(frozen=True, slots=True)
class ActMessage:
    """What a reviewer does with a case as it was on the screen."""

    event_id: str
    case_id: int
    version: str
    act: Act
    class_name: str | None
    note: str | None
    seconds: float | None


def parse_queue(body: dict[str, Any]) -> QueueMessage:
    """Raises Refused with the field that is wrong."""
    check_fields(body, {"reason", "later"}, set())
    later = body["later"]
    if not isinstance(later, list) or len(later) > MOST_LATER:
        raise Refused(422, "later", f"`later` must be a list of at most {MOST_LATER} cases.")
    ids = tuple(integer({"later": each}, "later", 0, _MAX_ID) for each in later)
    if body["reason"] is None:
        return QueueMessage(None, ids)
    try:
        return QueueMessage(ReviewReason(body["reason"]), ids)
    except ValueError:
        known = ", ".join(ReviewReason)
        raise Refused(422, "reason", f"`reason` must be null or one of {known}.") from None


def parse_look(body: dict[str, Any], classes: ClassList) -> LookMessage:
    """Raises Refused with the field that is wrong."""
    check_fields(body, {"case_id", "blind", "answered"}, {"class_id"})
    for name in ("blind", "answered"):
        if not isinstance(body[name], bool):
            raise Refused(422, name, f"`{name}` must be true or false.")
    if body["answered"]:
        _class_name(body, classes)
    return LookMessage(_case_id(body), body["blind"], body["answered"])


def parse_act(body: dict[str, Any], classes: ClassList) -> ActMessage:
    """Raises Refused with the field that is wrong."""
    check_fields(
        body, {"event_id", "case_id", "version", "act", "class_id"}, {"note", "duration_ms"}
    )
    try:
        act = Act(body["act"])
    except ValueError:
        raise Refused(422, "act", f"`act` must be one of {', '.join(Act)}.") from None
    version = body["version"]
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise Refused(422, "version", "`version` must be 16 hexadecimal digits.")
    took = body.get("duration_ms")
    if took is not None:
        took = integer(body, "duration_ms", 0, _MAX_DURATION_MS)
    answers = act in (Act.DECIDE, Act.PASS_ON)
    return ActMessage(
        event_id=random_text(body, "event_id"),
        case_id=_case_id(body),
        version=version,
        act=act,
        class_name=_class_name(body, classes) if answers else None,
        note=_note(body.get("note")),
        seconds=None if took is None or took > LONGEST_LOOK_MS else took / 1000,
    )


def parse_closed(body: dict[str, Any]) -> datetime | None:
    """Before when the wanted cases were closed; None: the newest. Raises Refused."""
    check_fields(body, {"before"}, set())
    if body["before"] is None:
        return None
    try:
        found = datetime.fromisoformat(body["before"])
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise Refused(422, "before", "`before` must be null or a time.") from None


def _case_id(body: dict[str, Any]) -> int:
    return integer(body, "case_id", 0, _MAX_ID)


def _class_name(body: dict[str, Any], classes: ClassList) -> str | None:
    """The class that the reviewer sees; None: nobody can tell."""
    if "class_id" not in body:
        raise Refused(422, "class_id", "`class_id` must be that of a class, or null.")
    if body["class_id"] is None:
        return None
    class_id = integer(body, "class_id", 0, _MAX_ID)
    at = classes.index_of_id(class_id)
    if at is not None:
        return classes.names[at]
    name = classes.given_names.get(class_id)
    if name is None:
        raise Refused(422, "class_id", "This project has no class with this `class_id`.")
    raise Refused(
        422,
        "class_id",
        f"The class {name!r} is not in use any more, so nothing was stored. Reload the page to see the "
        f"present classes.",
    )


def _note(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > LONGEST_NOTE or "\0" in given:
        raise Refused(422, "note", f"`note` must be a text of at most {LONGEST_NOTE} characters.")
    return given.strip() or None
