"""Labels that a source gives to images: only what differs from the answer that counts is recorded.

A label file, a manifest and class folders say what an image is, not when somebody said so. A row is known
if it says what the answer of the same annotator says that counts now. Every other row is a change, and is
recorded as a new answer. So the same source read twice records nothing the second time, and a label that
goes back to an earlier one is recorded like any other change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from alworkbench.core.domain import Answer, AnswerKind
from alworkbench.core.errors import ClassNotInUse
from alworkbench.core.ports import Reader, Writer


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """What a source says about an image of the project."""

    image_id: int
    kind: AnswerKind
    class_id: int | None = None
    """Given exactly when `kind` is CLASS."""


def changes(reader: Reader, given: Iterable[GivenLabel], annotator: str) -> list[GivenLabel]:
    """What differs from the annotator's answers that count.

    The given labels do not contradict each other (`inputs.contradictions`); one that occurs twice is one
    change. A label that counts for the same class as the known one is none, also where one of both was
    merged. Raises ClassNotInUse for a change to a retired class.
    """
    counting = reader.labels.of_annotator(annotator)
    classes = reader.classes.current()
    counts_for = classes.counted_names
    fresh = {}
    for label in given:
        known = counting.get(label.image_id)
        same = known is not None and (known.kind, counts_for.get(known.class_id)) == (
            label.kind,
            counts_for.get(label.class_id),
        )
        if not same:
            if label.class_id is not None and label.class_id not in classes.counted:
                raise ClassNotInUse(classes.given_names[label.class_id], None, "A new label")
            fresh[label.image_id] = label
    return list(fresh.values())


def record_changes(
    writer: Writer, given: Iterable[GivenLabel], *, annotator: str, source: str, now: datetime
) -> int:
    """Record the `changes`; returns how many were recorded. `source` is csv or manifest."""
    fresh = [
        Answer(
            # An event of its own: the same label may come again after another one.
            event_id=f"{source}:{uuid4().hex}",
            image_id=label.image_id,
            kind=label.kind,
            annotator=annotator,
            class_id=label.class_id,
            source=source,
        )
        for label in changes(writer, given, annotator)
    ]
    writer.labels.add_many(fresh, now)
    return len(fresh)
