"""Corrections: a person answers an image anew that the person answered before, in any round.

The new answer stands where the earlier one stood: it is for the same item, and late where that one was late.
Nothing is overwritten: the earlier answer stays in the history of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alworkbench.core.domain import Answer, AnswerKind, Label
from alworkbench.core.domain.opinions import REVIEW_SOURCE
from alworkbench.core.errors import ClassNotInUse, NothingToCorrect, NotYourAnswer
from alworkbench.core.ports import Reader, Writer

HISTORY = 12
"""Answers of a person that the labelling page offers to open again."""
_LOOK_BACK = 4 * HISTORY


@dataclass(frozen=True, slots=True)
class Correction:
    """A new answer in place of an earlier one, before it is stored."""

    event_id: str
    """Made by the browser or script: a correction that is sent twice is recorded once."""
    corrects: str
    """Event id of an answer of the same person to the image."""
    annotator: str
    kind: AnswerKind
    class_id: int | None = None
    duration_ms: int | None = None


def correct(writer: Writer, correction: Correction, now: datetime) -> Label:
    """Record a correction. Raises NothingToCorrect, NotYourAnswer and ClassNotInUse."""
    done = writer.labels.by_event(correction.event_id)
    if done is not None:
        if done.annotator != correction.annotator:
            raise NotYourAnswer(correction.annotator)
        return done
    named = writer.labels.by_event(correction.corrects)
    if named is None:
        raise NothingToCorrect(correction.annotator)
    if named.annotator != correction.annotator:
        raise NotYourAnswer(correction.annotator)
    standing = writer.labels.opinion(correction.annotator, named.image_id)
    if standing is None:
        raise NothingToCorrect(correction.annotator)
    classes = writer.classes.current()
    former = next((c for c in classes.former if c.id == correction.class_id), None)
    if former is not None:
        into = classes.given_names.get(former.into) if former.into else None
        raise ClassNotInUse(former.name, into, "The answer")
    return writer.labels.add(
        Answer(
            event_id=correction.event_id,
            image_id=standing.image_id,
            kind=correction.kind,
            annotator=correction.annotator,
            class_id=correction.class_id,
            item_id=standing.item_id,
            duration_ms=correction.duration_ms,
            suggested_class_id=standing.suggested_class_id,
            # An answer with which a reviewer settled an image goes on settling it.
            source=REVIEW_SOURCE if standing.source == REVIEW_SOURCE else "browser",
            late=standing.late,
        ),
        now,
    )


def newest_answers(reader: Reader, annotator: str, limit: int = HISTORY) -> list[Label]:
    """What a person says now of the images that the person answered last at the labelling page, newest first.

    An answer that was changed elsewhere, such as on a card, keeps the place of its image.
    """
    found: dict[int, Label] = {}
    for label in reader.labels.recent(annotator, _LOOK_BACK):
        opinion = reader.labels.opinion(annotator, label.image_id)
        if opinion is not None:
            found.setdefault(label.image_id, opinion)
        if len(found) == limit:
            break
    return list(found.values())
