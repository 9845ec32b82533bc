"""The history of one image: every answer, who gave it, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alworkbench.core.domain import Image, Review
from alworkbench.core.ports import Reader
from alworkbench.project.label_export import LabelRecords


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """One answer to an image, as an export of the history says it."""

    event_id: str
    annotator: str
    recorded_at: datetime
    kind: str
    """class, skip or cannot_tell."""
    label: str | None
    """Name of the class that was answered."""
    source: str
    round: int | None
    """Number of the round that asked; None for an answer that no round asked for."""
    suggestion: str | None
    """Class that was suggested; whether it was shown is a matter of the item."""
    counts: bool
    """Whether this is the label of the image where only one can be used."""
    taken_back_at: datetime | None
    taken_back_by: str | None
    review: str | None
    """The case that a reviewer decided with this answer, as `ReviewReason`; None for other answers."""
    note: str | None
    """What the reviewer wrote with the decision."""


def history_of(reader: Reader, image: Image) -> list[PastAnswer]:
    """Every answer to the image, the oldest first."""
    labels = reader.labels.history(image.id)
    number = {label.event_id: label.id for label in labels}
    decided = {each.label_id: each for each in reader.reviews.all() if each.image_id == image.id}
    return [
        _past(record, decided.get(number[record["event_id"]]))
        for record in LabelRecords(reader, history=True, image=image)
    ]


def _past(record: Mapping[str, Any], case: Review | None) -> PastAnswer:
    back = record["taken_back_at"]
    return PastAnswer(
        event_id=record["event_id"],
        annotator=record["annotator"],
        recorded_at=datetime.fromisoformat(record["recorded_at"]),
        kind=record["kind"],
        label=record["label"],
        source=record["source"],
        round=record["round"],
        suggestion=record["suggestion"],
        counts=record["counts"],
        taken_back_at=datetime.fromisoformat(back) if back else None,
        taken_back_by=record["taken_back_by"],
        review=case.reason.value if case else None,
        note=case.note if case else None,
    )
