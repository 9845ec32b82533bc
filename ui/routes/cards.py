"""The card of one image, in parts, so that its history does not wait for the model.

    GET  /alw/p/KEY/images/{hash}/card            where it is from, its answers, what the person may correct
    GET  /alw/p/KEY/images/{hash}/card/model      what the model says of it
    GET  /alw/p/KEY/images/{hash}/card/nearest    the labelled images that are most similar to it

What a person must not see before the own answer is left out by `project.blindness`, for every role.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import ImageNotFound
from alworkbench.project.image_card import ImageCard, LabelledLike, ModelOpinion
from alworkbench.project.image_history import PastAnswer
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, reading
from ui.routes.notes import plain_notes
from ui.routes.pictures import picture_address
from ui.state import UiState

SHOWN_CLASSES = 5
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def routes(state: UiState) -> list[OurRoute]:
    """Everybody who labels sees cards."""
    cards = _Cards(state)
    path = "/images/{content_hash}/card"
    return [
        reading(state, path, PersonRole.ANNOTATOR, cards.records),
        reading(state, path + "/model", PersonRole.ANNOTATOR, cards.model),
        reading(state, path + "/nearest", PersonRole.ANNOTATOR, cards.nearest),
    ]


class _Cards:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._cards = state.workbench.cards

    def records(self, request: Request, person: Person) -> Json:
        card = _found(self._cards.of, request, person)
        classes = self._state.workbench.classes.current()
        shown = [classes.classes[position] for position in classes.shown_order]
        return {
            **plain_card(card),
            "picture": picture_address(self._state, card.image.hash),
            "classes": [{"id": each.id, "name": each.name} for each in shown],
        }

    def model(self, request: Request, person: Person) -> Json:
        return plain_opinion(_found(self._cards.model, request, person))

    def nearest(self, request: Request, person: Person) -> Json:
        found: LabelledLike = _found(self._cards.nearest, request, person)
        return {
            "words": found.words,
            "images": [
                {
                    "hash": each.hash,
                    "label": each.class_name,
                    "similarity": each.similarity,
                    "width": each.width,
                    "height": each.height,
                    "picture": picture_address(self._state, each.hash),
                }
                for each in found.images
            ],
        }


def _found(of: Callable[[str, str], Any], request: Request, person: Person) -> Any:
    content = request.path_params["content_hash"]
    try:
        if not _HASH.fullmatch(content):
            raise ImageNotFound(content, None)
        return of(content, person.name)
    except ImageNotFound:
        raise Refused(404, "image", "This project has no such image.") from None


def plain_card(card: ImageCard) -> Json:
    """The records of a card as JSON."""
    own = card.own
    return {
        "hash": card.image.hash,
        "width": card.image.width,
        "height": card.image.height,
        "role": card.image.role.value,
        "path": card.path,
        "round": card.round,
        "open": card.open,
        "history": [_plain_answer(each) for each in card.history],
        "hidden": card.hidden.others,
        **plain_notes(card.notes),
        "own": own and {"event_id": own.event_id, "kind": own.kind.value, "class_id": own.class_id},
    }


def plain_opinion(said: ModelOpinion) -> Json:
    """What the model says as JSON: the likeliest SHOWN_CLASSES classes, uncertainty in nats."""
    belief = said.belief
    if belief is None:
        return {"words": said.words, "classes": None}
    likeliest = sorted(belief.classes, key=lambda each: -each.probability)
    return {
        "words": said.words,
        "calibration": belief.calibration.words,
        "classes": [asdict(each) for each in likeliest[:SHOWN_CLASSES]],
        "others": max(0, len(belief.classes) - SHOWN_CLASSES),
        "conflict": list(belief.conflict),
        "uncertainty": asdict(belief.uncertainty),
        "number": len(belief.classes),
        "error": belief.error,
        "draws": belief.draws,
    }


def _plain_answer(each: PastAnswer) -> Json:
    plain = asdict(each)
    for name in ("recorded_at", "taken_back_at"):
        plain[name] = plain[name] and plain[name].isoformat()
    return plain
