"""The labels of a project as records of an export."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal

from alworkbench.core.domain import (
    Image,
    Item,
    Label,
    Role,
    Round,
    TakeBack,
    counting_opinions,
    deciding_label,
)
from alworkbench.core.ports import Reader
from alworkbench.inputs.label_formats.protocol import Export, Records
from alworkbench.inputs.label_formats.record import KINDS
from alworkbench.project.image_files import file_holding, places
from alworkbench.project.session import Session
from alworkbench.project.soft_records import SoftRecords


class LabelRecords:
    """Records (`label_formats.record`) of the labels that count, or with `history` of all labels.

    They are in the order of recording, and can be read several times within the read block. A label of a
    merged class has the name of the class for which it counts; in a history it has its own.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        history: bool,
        image: Image | None = None,
        role: Role | None = None,
        annotators: Collection[str] = (),
    ) -> None:
        """With `image`, only its labels, read without those of other images.

        `role` leaves out images of the other set, and `annotators` the labels of everybody else.
        """
        self._project = reader.settings().name
        classes = reader.classes.current()
        self._class_names = classes.given_names
        self._label_names = classes.given_names if history else classes.counted_names
        every = reader.labels.all() if image is None else reader.labels.history(image.id)
        only = None if image is None else [label.id for label in every]
        self._asked = _asked(reader) if image is None else _asked_of(reader, every)
        self._place_of = (
            places(reader)
            if image is None
            else {image.id: (_newest_place(reader, image), image.hash, image.role)}
        )
        self._counting = {label.id for label in _counting(reader, image)}
        self._taken_back = {each.label_id: each for each in reader.labels.take_backs(only)}
        self._origins = reader.labels.origins(only)
        newest = reader.notes.of(None if image is None else [image.id])
        self._notes = {note.image_id: note.text for note in newest}  # the newest is the last one
        self._flagged = set(reader.notes.flagged())
        self._labels = [
            label
            for label in every
            if (history or label.id in self._counting)
            and (not annotators or label.annotator in annotators)
            and (role is None or self._place_of[label.image_id][2] is role)
        ]

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for label in self._labels:
            yield {
                **self._of_label(label),
                **_of_take_back(self._taken_back.get(label.id)),
                **self._of_origin(label),
                "note": self._notes.get(label.image_id),
                "flagged": label.image_id in self._flagged,
            }

    def _of_label(self, label: Label) -> dict[str, Any]:
        path, content, role = self._place_of[label.image_id]
        return {
            "image": path,
            "hash": content,
            "label": None if label.class_id is None else self._label_names[label.class_id],
            "kind": label.kind.value,
            "role": role.value,
            "annotator": label.annotator,
            "recorded_at": label.recorded_at.isoformat(),
            "source": label.source,
            "event_id": label.event_id,
            "counts": label.id in self._counting,
            "duration_ms": label.duration_ms,
        }

    def _of_origin(self, label: Label) -> dict[str, Any]:
        """Where and how it was asked for: here, or in the project that it came from with its history."""
        if (origin := self._origins.get(label.id)) is not None:
            return asdict(origin)
        round_, item = self._asked.get(label.item_id or 0, (None, None))
        shown = item.suggestion if item else None
        return {
            "round": round_.number if round_ else None,
            "position": item.position + 1 if item else None,
            "strategy": round_.strategy if round_ else None,
            "score": item.score if item else None,
            "draw_probability": item.probability if item else None,
            "suggestion": self._name(shown.class_id if shown else label.suggested_class_id),
            "suggestion_probability": shown.probability if shown else None,
            "calibration": round_.calibration.words if round_ and shown else None,
            "class_list": round_.class_list_id if round_ else None,
            "posterior": round_.posterior_id if round_ else None,
            "learner": round_.learner_id if round_ else None,
            "project": self._project,
        }

    def _name(self, class_id: int | None) -> str | None:
        return None if class_id is None else self._class_names[class_id]


def _newest_place(reader: Reader, image: Image) -> str:
    return reader.images.files([image.hash])[0].path


def _asked(reader: Reader) -> dict[int, tuple[Round, Item]]:
    """Item id -> the item and its round, of all rounds."""
    return {
        item.id: (round_, item)
        for round_ in reader.rounds.all()
        for item in reader.rounds.items(round_.id)
    }


def _asked_of(reader: Reader, labels: Sequence[Label]) -> dict[int, tuple[Round, Item]]:
    """The same, of the items that these labels answer."""
    items = [reader.rounds.item(i) for i in {label.item_id for label in labels} if i is not None]
    return {item.id: (reader.rounds.get(item.round_id), item) for item in items if item}


def _counting(reader: Reader, image: Image | None) -> list[Label]:
    """The label that counts of each image, or of this one."""
    if image is None:
        return [label for role in Role for label in reader.labels.current(role).values()]
    opinions = counting_opinions(reader.labels.opinions_of([image.id]).get(image.id, ()))
    return [deciding_label(opinions, reader.classes.current().counted)] if opinions else []


def _of_take_back(found: TakeBack | None) -> dict[str, Any]:
    return {
        "taken_back_at": found.recorded_at.isoformat() if found else None,
        "taken_back_by": found.annotator if found else None,
        "taken_back_event": found.event_id if found else None,
    }


def export_of(
    session: Session,
    reader: Reader,
    *,
    history: bool,
    place: Literal["copy", "link"] = "copy",
    role: Role | None = None,
    annotators: Collection[str] = (),
    soft: bool = False,
) -> Export:
    """What a format is given to write. Read it within the read block."""
    rows: Records
    if soft:
        rows = SoftRecords(reader, role=role, annotators=annotators)
        kinds = rows.kinds
    else:
        rows = LabelRecords(reader, history=history, role=role, annotators=annotators)
        kinds = KINDS
    return Export(
        rows=rows,
        kinds=kinds,
        class_names=tuple(reader.classes.current().given_names.values()),
        project=reader.settings().name,
        picture=_pictures(session, reader),
        history=history,
        place=place,
    )


def _pictures(session: Session, reader: Reader) -> Callable[[str], Path | None]:
    """Content hash -> a file that still holds the picture, found when it is first asked for."""

    @cache
    def picture(content: str) -> Path | None:
        return file_holding(session.folder, reader.images.files([content]))

    return picture
