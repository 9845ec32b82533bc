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
from alworkbench.core.ports import Writer


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """What a source says about an image of the project."""

    image_id: int
    kind: AnswerKind
    class_id: int | None = None
    """Given exactly when `kind` is CLASS."""


def record_changes(
    writer: Writer, given: Iterable[GivenLabel], *, annotator: str, source: str, now: datetime
) -> int:
    """Record what differs from the annotator's answers that count; returns how many were recorded.

    `source` is csv or manifest. The given labels do not contradict each other (`inputs.contradictions`);
    one that occurs twice is recorded once.
    """
    counting = writer.labels.of_annotator(annotator)
    fresh = {}
    for label in given:
        known = counting.get(label.image_id)
        if known is None or (known.kind, known.class_id) != (label.kind, label.class_id):
            fresh[label.image_id] = Answer(
                # An event of its own: the same label may come again after another one.
                event_id=f"{source}:{uuid4().hex}",
                image_id=label.image_id,
                kind=label.kind,
                annotator=annotator,
                class_id=label.class_id,
                source=source,
            )
    writer.labels.add_many(list(fresh.values()), now)
    return len(fresh)
