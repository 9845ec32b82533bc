"""What a person answered last, and new answers in its place.

GET  /alw/p/KEY/answered         the last images that the person answered, newest first
POST /alw/p/KEY/relabel          a new answer in place of an earlier one; acknowledged when it is durable
"""

from __future__ import annotations

from starlette.requests import Request

from alworkbench.core.domain import Image, Label, Person, PersonRole
from alworkbench.project.corrections import Correction
from ui.messages import parse_relabel
from ui.routes.answering import Json, OurRoute, reading, writing
from ui.routes.notes import marks
from ui.routes.pictures import picture_address
from ui.state import UiState


def routes(state: UiState) -> list[OurRoute]:
    """Everybody who labels sees and corrects the own answers."""

    def answered(_request: Request, person: Person) -> Json:
        version = state.workbench.images.version()
        newest = state.workbench.labels.newest(person.name)
        images = state.workbench.images.some([each.image_id for each in newest])
        noted = state.workbench.notes.of_each(images, person.name)
        return {
            "answers": [
                {**_shown(state, each, image, version), **marks(found)}
                for each, image, found in zip(newest, images, noted, strict=True)
            ]
        }

    def relabel(body: Json, person: Person) -> Json:
        message = parse_relabel(body, state.workbench.classes.current())
        label = state.workbench.labels.correct(
            Correction(
                event_id=message.event_id,
                corrects=message.answer,
                annotator=person.name,
                kind=message.kind,
                class_id=message.class_id,
                duration_ms=message.duration_ms,
            )
        )
        return {"stored": True, "event_id": label.event_id}

    return [
        reading(state, "/answered", PersonRole.ANNOTATOR, answered),
        writing(state, "/relabel", PersonRole.ANNOTATOR, relabel),
    ]


def _shown(state: UiState, label: Label, image: Image, version: str) -> Json:
    return {
        "event_id": label.event_id,
        "item_id": label.item_id,
        "kind": label.kind.value,
        "class_id": label.class_id,
        "width": image.width,
        "height": image.height,
        "image_url": picture_address(state, image.hash, version=version),
    }
