"""What the page of a reviewer asks and does.

    POST /alw/p/KEY/reviews/queue     the cases that wait, in order: pictures and reasons, no opinions
    POST /alw/p/KEY/reviews/look      what people, the model and other reviewers said of one case
    POST /alw/p/KEY/reviews/act       decide, keep, pass on, withdraw; acknowledged when it is durable
    POST /alw/p/KEY/reviews/closed    what became of closed cases, the newest first

An act names the case and its version: what was on the screen. A case that changed meanwhile is refused. What
others said is sent apart from the cases, and where the reviewer answers blind, only after the answer.
"""

from __future__ import annotations

from alworkbench.core.domain import Person, PersonRole
from alworkbench.project.review_cases import ReviewCase
from ui.refusal import Refused
from ui.review_messages import Act, parse_act, parse_closed, parse_look, parse_queue
from ui.review_words import (
    closed_rows,
    done_words,
    model_words,
    said_words,
    since_words,
    trail_words,
    why_words,
)
from ui.routes.answering import Json, OurRoute, writing
from ui.routes.pictures import picture_address
from ui.state import UiState

AT_ONCE = 40
"""Cases of one answer; a page asks for more before it has shown these."""
CLOSED_AT_ONCE = 100


def routes(state: UiState) -> list[OurRoute]:
    """For reviewers and managers."""
    desk = _Reviews(state)
    return [
        writing(state, "/reviews/queue", PersonRole.REVIEWER, desk.queue),
        writing(state, "/reviews/look", PersonRole.REVIEWER, desk.look),
        writing(state, "/reviews/act", PersonRole.REVIEWER, desk.act),
        writing(state, "/reviews/closed", PersonRole.REVIEWER, desk.closed),
    ]


class _Reviews:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    def queue(self, body: Json, person: Person) -> Json:
        message = parse_queue(body)
        reviews = self._workbench.team.reviews
        reviews.open_disagreements()
        found = reviews.waiting(person.name, message.reason, later=message.later, most=AT_ONCE)
        version = self._workbench.images.version()
        return {
            "cases": [self._shown(each, person, version) for each in found.cases],
            "total": found.total,
            "counts": {reason.value: number for reason, number in found.counts.items()},
        }

    def _shown(self, case: ReviewCase, person: Person, version: str) -> Json:
        """What a reviewer who answers blind may see."""
        review, image = case.review, self._workbench.images.get(case.review.image_id)
        return {
            "case_id": review.id,
            "image": review.image_id,
            "image_url": picture_address(self._state, case.hash, version=version),
            "width": image.width,
            "height": image.height,
            "path": case.path,
            "why": why_words(review),
            "opened": since_words(review),
            "own": review.asked_by == person.name,
        }

    def look(self, body: Json, person: Person) -> Json:
        classes = self._workbench.classes.current()
        message = parse_look(body, classes)
        case = self._workbench.team.reviews.case(message.case_id)
        own = case.review.asked_by == person.name
        if message.blind and not message.answered and not own:
            raise Refused(422, "blind", "Say what you see before you see what others said.")
        return {
            "case_id": case.review.id,
            "version": case.version,
            "said": [said_words(each, classes) for each in case.history],
            "model": model_words(case.review, classes),
            "trail": [trail_words(each, classes) for each in case.earlier],
        }

    def act(self, body: Json, person: Person) -> Json:
        classes = self._workbench.classes.current()
        message = parse_act(body, classes)
        reviews, by = self._workbench.team.reviews, person.name
        seen = {"event_id": message.event_id, "version": message.version}
        case, name, note = message.case_id, message.class_name, message.note
        if message.act is Act.DECIDE:
            reviews.resolve(case, by, name, note, seconds=message.seconds, **seen)
        elif message.act is Act.PASS_ON:
            reviews.pass_on(case, by, name, note, **seen)
        else:
            reviews.dismiss(case, by, note, **seen)
        return {
            "stored": True,
            "event_id": message.event_id,
            "said": done_words(message.act, case, name),
        }

    def closed(self, body: Json, _person: Person) -> Json:
        before = parse_closed(body)
        found = self._workbench.team.reviews.closed(CLOSED_AT_ONCE + 1, before)
        rows = closed_rows(found[:CLOSED_AT_ONCE], self._workbench.classes.current())
        last = found[CLOSED_AT_ONCE - 1].review.closed_at if len(found) > CLOSED_AT_ONCE else None
        return {"rows": rows, "before": None if last is None else last.isoformat()}
