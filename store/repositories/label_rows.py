"""Answers as rows of the table of labels, and back."""

from __future__ import annotations

from datetime import datetime

from alworkbench.core.domain import Answer
from store.schema import LabelRow

# In the order of the fields of `Label`.
LABEL_COLUMNS = (
    LabelRow.id,
    LabelRow.event_id,
    LabelRow.image_id,
    LabelRow.kind,
    LabelRow.class_id,
    LabelRow.annotator,
    LabelRow.item_id,
    LabelRow.recorded_at,
    LabelRow.duration_ms,
    LabelRow.suggested_class_id,
    LabelRow.source,
    LabelRow.late,
)


def values(answer: Answer, item_id: int | None, at: datetime | None) -> dict[str, object]:
    """The row of an answer to an item at a time."""
    return {
        "event_id": answer.event_id,
        "image_id": answer.image_id,
        "kind": answer.kind,
        "class_id": answer.class_id,
        "annotator": answer.annotator,
        "item_id": item_id,
        "recorded_at": at,
        "duration_ms": answer.duration_ms,
        "suggested_class_id": answer.suggested_class_id,
        "source": answer.source,
        "late": answer.late,
    }
