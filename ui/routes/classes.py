"""The class list as it is, and drafts of its next version. For managers.

GET  /alw/p/KEY/classes                    the list, what belongs to it, and what the model reads
GET  /alw/p/KEY/classes/versions/{number}  the draft that goes back to an earlier version
POST /alw/p/KEY/classes/read               a draft of a file with all fields of each class: {draft}
POST /alw/p/KEY/classes/images             images for the examples of a class: {class} or {name}
POST /alw/p/KEY/classes/faults             what is wrong with a draft, at once: {draft}
POST /alw/p/KEY/classes/preview            faults of a draft; without any, what the model says: {draft, turn}
POST /alw/p/KEY/classes/effect             what storing a draft changes: {draft}
POST /alw/p/KEY/classes/apply              store a draft: {draft}

A draft has the form of `core.domain.class_draft`. Only `apply` writes. Where the model reads the list
otherwise, it starts a job; else the new version is stored when it replies.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from alworkbench.core.domain import (
    ClassDraft,
    ClassList,
    JobKind,
    LabelClass,
    Person,
    PersonRole,
    Role,
)
from alworkbench.core.domain.class_draft import drafted, read_draft
from alworkbench.core.domain.class_words import changes_between, returned
from alworkbench.core.errors import ChangedMeanwhile, EncoderError, NothingToImport
from alworkbench.core.names import tidy_name
from alworkbench.inputs.rendition import THUMBNAIL
from alworkbench.project.image_query import ImageFilter, ImageQuery, Order
from ui.messages import check_fields, integer, text
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, reading, writing
from ui.routes.images import plain_images
from ui.routes.pictures import picture_address
from ui.state import UiState

MOST_OF_DRAFT = 4_000_000
"""Bytes of a draft: some thousand classes with their prompts."""
MOST_OF_NAME = 4096
"""Characters of the path of an image."""
OFFERED = 48
"""Labelled images among which the examples of a class are chosen."""
TITLE = "change the classes"
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def routes(state: UiState) -> list[OurRoute]:
    """Managers change the classes, and see what the model says of images."""
    own = _Classes(state)
    return [
        reading(state, "/classes", PersonRole.MANAGER, own.present),
        reading(state, "/classes/versions/{number}", PersonRole.MANAGER, own.version),
        writing(state, "/classes/read", PersonRole.MANAGER, own.read, MOST_OF_DRAFT),
        writing(state, "/classes/images", PersonRole.MANAGER, own.images),
        writing(state, "/classes/faults", PersonRole.MANAGER, own.faults, MOST_OF_DRAFT),
        writing(state, "/classes/preview", PersonRole.MANAGER, own.preview, MOST_OF_DRAFT),
        writing(state, "/classes/effect", PersonRole.MANAGER, own.effect, MOST_OF_DRAFT),
        writing(state, "/classes/apply", PersonRole.MANAGER, own.apply, MOST_OF_DRAFT),
    ]


class _Classes:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    def present(self, _request: Request, _person: Person) -> Json:
        """The list in the order of the screen, labels by class id, and the published sets of templates."""
        with self._workbench.session.store.read() as reader:
            classes = reader.classes.current()
            current = [label for role in Role for label in reader.labels.current(role).values()]
        prompts = self._workbench.prompts
        readable = prompts.unreadable() is None
        labels = Counter(each.class_id for each in current if each.class_id is not None)
        return {
            "draft": plain_draft(classes),
            "keys": {c.id: key for c, key in zip(classes.classes, classes.keys, strict=True)},
            "labels": dict(labels),
            "examples": {
                content: picture_address(self._state, content, THUMBNAIL)
                for c in classes.classes
                for content in c.examples
            },
            # Loading the published sets takes seconds; they are of no use where no model reads them.
            "sets": [asdict(each) for each in prompts.sets()] if readable else [],
        }

    def version(self, request: Request, _person: Person) -> Json:
        given = request.path_params["number"]
        if not _NUMBER.fullmatch(given):
            raise Refused(404, "version", "This project has no such version of the class list.")
        earlier = self._workbench.classes.version(int(given))
        return {"draft": plain_draft(returned(self._workbench.classes.current(), earlier))}

    def read(self, body: Json, _person: Person) -> Json:
        """Faults stay in the draft, to be mended; another form and an older version are refused."""
        check_fields(body, {"draft"}, set())
        draft = read_draft(body["draft"])
        present = self._workbench.classes.current()
        if draft.base not in (None, present.id):
            raise Refused(
                409,
                "version",
                f"this list was made from version {draft.base}, and the newest one is {present.id}. Save the "
                "newest list as a file, and make the changes there.",
            )
        return {
            "draft": {
                "id": present.id,
                "classes": [asdict(c) for c in draft.classes],
                "former": [asdict(c) for c in draft.former],
            }
        }

    def images(self, body: Json, _person: Person) -> Json:
        """Labelled images of a class, newest answers first, or the image with this path or hash."""
        check_fields(body, {"name"} if "name" in body else {"class"}, set())
        workbench = self._workbench
        if "name" in body:
            content = workbench.classes.find_images([text(body, "name", MOST_OF_NAME)])[0]
            return {"images": [{"hash": content, "path": body["name"]}]}
        wanted = integer(body, "class", 1, 2**53)
        names = workbench.classes.current().given_names
        if wanted not in names:
            raise Refused(404, "class", "This project has no such class.")
        query = ImageQuery(ImageFilter(classes=(names[wanted],)), Order.ANSWERED)
        found = workbench.gallery.page(query, limit=OFFERED).images
        return {
            "images": [{"hash": each["hash"], "path": each["path"]} for each in plain_images(found)]
        }

    def faults(self, body: Json, _person: Person) -> Json:
        """Without the model, which may have to be loaded first."""
        check_fields(body, {"draft"}, set())
        return {"faults": self._checked(read_draft(body["draft"]))[0]}

    def preview(self, body: Json, person: Person) -> Json:
        check_fields(body, {"draft", "turn"}, set())
        draft, turn = read_draft(body["draft"]), integer(body, "turn", 0, 10_000)
        faults, classes = self._checked(draft)
        if classes is None:
            return {"faults": faults}
        present = self._workbench.classes.current()
        found: Json = {"faults": [], "changes": list(changes_between(present, classes))}
        try:
            return found | self._previewed(draft, classes, turn, person.name)
        except (EncoderError, NothingToImport) as problem:
            return found | {"reason": str(problem)}

    def _previewed(self, draft: ClassDraft, classes: ClassList, turn: int, by: str) -> Json:
        """Classes are named by their place in the draft."""
        preview = self._workbench.classes.previews.of(classes, turn, by)
        version = self._workbench.images.version()
        place_of = {_same(c): place for place, c in enumerate(draft.classes)}
        places = [place_of[_same(c)] for c in classes.classes]
        return {
            "images": [
                {
                    "url": picture_address(self._state, each.hash, THUMBNAIL, version=version),
                    "top": [[places[row], share] for row, share in each.top],
                }
                for each in preview.images
            ],
            "unknown": {
                places[row]: known.words for row, known in enumerate(preview.known) if known.unknown
            },
            "same": [[places[row] for row in group] for group in preview.same],
            "cut": [places[row] for row in preview.cut],
            "accuracy": [{**asdict(each), "role": each.role.value} for each in preview.accuracy],
        }

    def effect(self, body: Json, _person: Person) -> Json:
        check_fields(body, {"draft"}, set())
        faults, classes = self._checked(read_draft(body["draft"]))
        if classes is None:
            return {"faults": faults}
        with self._workbench.session.store.read() as reader:
            present, open_round = reader.classes.current(), reader.rounds.current()
        found: Json = {
            "faults": [],
            "changes": list(changes_between(present, classes)),
            "open_round": None,
        }
        if open_round is not None and not classes.same_for_model(present):
            return found | {"open_round": open_round.number}
        return found | {"effect": asdict(self._workbench.classes.effect(classes))}

    def apply(self, body: Json, person: Person) -> Json:
        check_fields(body, {"draft"}, set())
        draft = read_draft(body["draft"])
        faults, classes = self._checked(draft)
        if classes is None:
            return {"faults": faults}
        present = self._workbench.classes.current()
        if classes.same_for_model(present):
            return {"stored": self._workbench.classes.apply(draft).id}
        self._workbench.classes.effect(classes)  # refuses while a round is open
        order: dict[str, Any] = {"do": "classes", "draft": body["draft"]}
        started = self._state.jobs.start(JobKind.LEARN, TITLE, person.name, order)
        if not started:
            raise Refused(
                409,
                "busy",
                "The model learns at the moment. Your changes are kept here: store them when it has ended.",
                final=False,
            )
        return {"started": True}

    def _checked(self, draft: ClassDraft) -> tuple[list[Json], ClassList | None]:
        """Faults of a draft, or the list that it makes. Raises ChangedMeanwhile for one of an old version."""
        present = self._workbench.classes.current()
        if draft.base != present.id:
            raise ChangedMeanwhile("somebody else changed the class list", "alworkbench classes")
        faults = self._workbench.classes.faults(draft)
        if faults:
            return [asdict(each) for each in faults], None
        return [], drafted(present, draft)


def plain_draft(classes: ClassList) -> Json:
    """A list as a draft for the browser, in the order of the screen."""
    shown = [classes.classes[position] for position in classes.shown_order]
    return {
        "id": classes.id,
        "classes": [asdict(c) for c in shown],
        "former": [asdict(c) for c in classes.former],
    }


def _same(c: LabelClass) -> tuple[int | None, str]:
    return (c.id, "" if c.id is not None else tidy_name(c.name))
