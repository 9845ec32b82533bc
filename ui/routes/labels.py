"""One act labels a selection of images. For managers, whose page shows predictions beside the images.

    POST /alw/p/KEY/labels         {act_id, kind, class_id, images}; acknowledged when it is durable.
                             For a whole list, {query, cursor, total} stand instead of `images`
    POST /alw/p/KEY/labels/undo    take back what is left of an act of the person: {act_id, event_id}

An act that is sent twice is recorded once.
"""

from __future__ import annotations

from typing import Any

from alworkbench.core.domain import AnswerKind, Person, PersonRole
from alworkbench.project.bulk_labels import MOST_IN_ACT, SelectionAnswer
from ui.messages import check_fields, integer, parse_kind, random_text
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, writing
from ui.routes.images import parse_cursor, parse_query, plain_images
from ui.state import UiState

MOST_OF_ACT = 160_000
"""Bytes of an act: it may name MOST_IN_ACT images."""
SHOWN = 1000
"""Images of an act that are sent back as they are after it; of more, the page asks again."""


def routes(state: UiState) -> list[OurRoute]:
    """Managers label selections."""
    acts = _Acts(state)
    return [
        writing(state, "/labels", PersonRole.MANAGER, acts.label, MOST_OF_ACT),
        writing(state, "/labels/undo", PersonRole.MANAGER, acts.undo),
    ]


class _Acts:
    def __init__(self, state: UiState) -> None:
        self._workbench = state.workbench

    def label(self, body: Json, person: Person) -> Json:
        optional = {"images", "query", "cursor", "total", "settles"}
        check_fields(body, {"act_id", "kind", "class_id"}, optional)
        act_id = random_text(body, "act_id")
        kind, class_id = parse_kind(body, self._workbench.classes.current())
        gallery = self._workbench.gallery
        images = self._images(body, person)
        done = self._workbench.labels.record_selection(
            SelectionAnswer(
                act_id=act_id,
                annotator=person.name,
                images=images,
                kind=AnswerKind(kind),
                class_id=class_id,
                suggested=gallery.predicted(images),
                settles=body.get("settles") is True,
            )
        )
        return {
            "stored": True,
            "act_id": act_id,
            "labelled": len(done.labels),
            "left_out": len(done.left_out),
            "second_opinions": done.second_opinions,
            "words": done.words,
            "images": plain_images(gallery.images(images[:SHOWN], person.name)),
        }

    def undo(self, body: Json, person: Person) -> Json:
        check_fields(body, {"act_id", "event_id"}, set())
        act_id, event_id = random_text(body, "act_id"), random_text(body, "event_id")
        taken = self._workbench.labels.undo_selection(person.name, act_id, event_id)
        images = [label.image_id for label in taken]
        return {
            "stored": True,
            "event_id": event_id,
            "taken_back": len(taken),
            "images": plain_images(self._workbench.gallery.images(images[:SHOWN], person.name)),
        }

    def _images(self, body: dict[str, Any], person: Person) -> list[int]:
        """The images of an act: those that it names, or all of a list that still has as many."""
        if "images" in body:
            given = body["images"]
            if not isinstance(given, list) or not 0 < len(given) <= MOST_IN_ACT:
                raise Refused(422, "images", f"`images` must be a list of 1 to {MOST_IN_ACT} ids.")
            return [integer({"images": each}, "images", 0, 2**53) for each in given]
        check_fields(body, {"query", "cursor", "total"}, set(body))
        total = integer(body, "total", 1, MOST_IN_ACT)
        found = self._workbench.gallery.selected(parse_query(body), parse_cursor(body), person.name)
        if len(found) != total:
            raise Refused(
                409,
                "list_changed",
                f"The list has {len(found):,} images now and not {total:,}. Look at it again. Nothing was "
                f"recorded.",
            )
        return found
