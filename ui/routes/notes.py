"""Notes and flags of images. For everybody who labels.

    POST /alw/p/KEY/note    {event_id, images, text}: a note about each image, acknowledged when it is durable
    POST /alw/p/KEY/flag    {event_id, images, raised}: the flag put on each image, or taken off

Images are named by their content hashes. What is sent twice is recorded once.
"""

from __future__ import annotations

import re

from alworkbench.core.domain import MOST_OF_NOTE, Person, PersonRole
from alworkbench.core.errors import ImageNotFound
from alworkbench.project.notes import MOST_IN_ACT, ImageNotes
from ui.messages import check_fields, random_text
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, writing
from ui.state import UiState

MOST_OF_ACT = 80_000
"""Bytes: it may name MOST_IN_ACT images."""
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def routes(state: UiState) -> list[OurRoute]:
    """Everybody who labels writes notes and flags images."""
    notes = state.workbench.notes

    def note(body: Json, person: Person) -> Json:
        check_fields(body, {"event_id", "images", "text"}, set())
        event, images, text = random_text(body, "event_id"), image_hashes(body), body["text"]
        if not isinstance(text, str) or len(text) > 2 * MOST_OF_NOTE:
            raise Refused(422, "text", f"`text` must be a text of 1 to {MOST_OF_NOTE} characters.")
        try:
            number = notes.write(images, person.name, text, event_id=event)
        except ImageNotFound:
            raise unknown_image() from None
        return {"stored": True, "event_id": event, "images": number}

    def flag(body: Json, person: Person) -> Json:
        check_fields(body, {"event_id", "images", "raised"}, set())
        event, images, raised = random_text(body, "event_id"), image_hashes(body), body["raised"]
        if not isinstance(raised, bool):
            raise Refused(422, "raised", "`raised` must be true or false.")
        try:
            number = notes.flag(images, person.name, raised=raised, event_id=event)
        except ImageNotFound:
            raise unknown_image() from None
        return {"stored": True, "event_id": event, "images": number}

    return [
        writing(state, "/note", PersonRole.ANNOTATOR, note, MOST_OF_ACT),
        writing(state, "/flag", PersonRole.ANNOTATOR, flag, MOST_OF_ACT),
    ]


def marks(found: ImageNotes) -> Json:
    """What is shown on the picture of an image: whether it is flagged, and how many notes it has."""
    return {"flagged": found.flagged, "notes": len(found.notes)}


def plain_notes(found: ImageNotes) -> Json:
    """Notes and changes of the flag as JSON, the oldest first."""
    return {
        "flagged": found.flagged,
        "notes": [
            {"person": each.person, "text": each.text, "recorded_at": each.recorded_at.isoformat()}
            for each in found.notes
        ],
        "flags": [
            {
                "person": each.person,
                "raised": each.raised,
                "reason": each.reason,
                "recorded_at": each.recorded_at.isoformat(),
            }
            for each in found.flags
        ],
    }


def image_hashes(body: Json) -> list[str]:
    """The images that a request names, by content hash. Raises Refused."""
    given = body["images"]
    if not isinstance(given, list) or not 0 < len(given) <= MOST_IN_ACT:
        raise Refused(422, "images", f"`images` must be a list of 1 to {MOST_IN_ACT} hashes.")
    if not all(isinstance(each, str) and _HASH.fullmatch(each) for each in given):
        raise Refused(422, "images", "Each image must be named by its content hash.")
    return given


def unknown_image() -> Refused:
    """What is said of an image that the project does not have."""
    return Refused(404, "image", "This project has no such image.")
