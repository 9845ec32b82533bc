"""What the desk asks and answers.

    POST /alw/p/KEY/queue          the images leased to this tab of the person, in order
    POST /alw/p/KEY/answer         one answer; acknowledged when it is durable
    POST /alw/p/KEY/undo           take an answer of the person back
    POST /alw/p/KEY/release        give images back: the tab is closed, or held more than its share

A label never passes through a Streamlit rerun: what a key answers is the picture that was on screen
when it was pressed, however busy the server is.
"""

from __future__ import annotations

from datetime import UTC, datetime

from alworkbench.core.domain import Answer, ClassList, Image, Item, Person, PersonRole, Round
from alworkbench.core.errors import NoOpenRound
from alworkbench.project.fair_share import Share
from alworkbench.project.late_answers import KEPT, WHY_LATE
from alworkbench.project.notes import ImageNotes
from ui.messages import AnswerMessage, parse_answer, parse_queue, parse_release, parse_undo
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, writing
from ui.routes.notes import marks
from ui.routes.pictures import picture_address
from ui.state import UiState


def routes(state: UiState) -> list[OurRoute]:
    """Everybody who is signed in labels."""
    desk = _Desk(state)
    return [
        writing(state, "/queue", PersonRole.ANNOTATOR, desk.queue),
        writing(state, "/answer", PersonRole.ANNOTATOR, desk.answer),
        writing(state, "/undo", PersonRole.ANNOTATOR, desk.undo),
        writing(state, "/release", PersonRole.ANNOTATOR, desk.release),
    ]


class _Desk:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    def queue(self, body: Json, person: Person) -> Json:
        tab, side = parse_queue(body)
        try:
            share = self._workbench.labels.take_share(person.name, tab)
        except NoOpenRound:
            share = Share([], 0, 1, done=False)
        classes, round_ = self._workbench.classes.current(), self._workbench.rounds.current()
        images = self._workbench.images.some([item.image_id for item in share.items])
        if side is not None:
            self._state.pictures.wish([image.hash for image in images], side)
        version = self._workbench.images.version()
        noted = self._workbench.notes.of_each(images, person.name)
        now = datetime.now(UTC)
        ends = [item.lease.until for item in share.items if item.lease is not None]
        return {
            "progress": self._progress(),
            "items": [
                self._item(item, image, found, version, classes, round_)
                for item, image, found in zip(share.items, images, noted, strict=True)
            ],
            "limit": share.limit,
            "people": share.people,
            "done": share.done,
            "in_other_tab": share.in_other_tab,
            "lease_seconds": max(0.0, (min(ends) - now).total_seconds()) if ends else None,
        }

    def answer(self, body: Json, person: Person) -> Json:
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
            "people": self._workbench.labels.people_at_work(),
            "progress": self._progress(),
        }

    def undo(self, body: Json, person: Person) -> Json:
        message = parse_undo(body)
        taken_back = self._workbench.labels.undo(person.name, message.event_id, message.answer)
        # The image is open again: lease it again, so that it can be answered at once.
        shown = None
        classes, round_ = self._workbench.classes.current(), self._workbench.rounds.current()
        if round_ is not None:
            claimed = self._workbench.labels.take_share(person.name, message.tab)
            again = next((i for i in claimed.items if i.id == taken_back.item_id), None)
            if again is not None:
                image = self._workbench.images.get(again.image_id)
                shown = self._item(
                    again,
                    image,
                    self._workbench.notes.of(image.hash, person.name),
                    self._workbench.images.version(),
                    classes,
                    round_,
                )
        return {
            "stored": True,
            "event_id": message.event_id,
            "item_id": taken_back.item_id,
            "item": shown,
            "progress": self._progress(),
        }

    def release(self, body: Json, person: Person) -> Json:
        tab, items = parse_release(body)
        self._workbench.labels.release(person.name, tab, items)
        return {"released": True}

    def _find_item(self, message: AnswerMessage) -> Item:
        """The item answered; an answer that was sent twice may belong to a closed round."""
        item = self._workbench.rounds.item(message.item_id)
        if item is not None:
            return item
        raise Refused(404, "item", "No round of this project asks for this image.")

    def _progress(self) -> Json | None:
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

    def _item(
        self,
        item: Item,
        image: Image,
        found: ImageNotes,
        version: str,
        classes: ClassList,
        round_: Round | None,
    ) -> Json:
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
        # Of a blind item nothing that the model says is shown; lists by position belong to one round.
        shows = round_ is not None and not item.blind and item.round_id == round_.id
        sets = round_.class_sets if round_ is not None and shows else None
        likeliest = round_.likeliest(item.position) if round_ is not None and shows else ()
        return {
            "item_id": item.id,
            "position": item.position,
            "image_url": picture_address(self._state, image.hash, version=version),
            "width": image.width,
            "height": image.height,
            "lease_token": None if item.lease is None else item.lease.token,
            "suggestion": suggestion,
            "likely": [] if sets is None else list(sets.shown(item.position)),
            "likeliest": list(likeliest),
            **marks(found),
        }
