"""The history of labels of another project, taken over event by event.

Every event keeps its own id, person, time and kind, and where it was asked for. A history is only ever
continued: the events that the project has for an image and a person must be those with which the history of
this image and person begins. A person's newest answer decides, so an event that belongs before one that was
recorded already cannot be added behind it. An event that the project has is known if it says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    LabelOrigin,
    RecordedAnswer,
    Role,
    RoleMismatch,
)
from alworkbench.core.names import composed
from alworkbench.core.ports import Reader, Writer
from alworkbench.project.class_versions import versions
from alworkbench.project.label_export import LabelRecords
from alworkbench.project.label_findings import Findings
from alworkbench.project.label_import import ImageFinder, RoleCheck
from alworkbench.project.session import stored_id

Record = Mapping[str, Any]

COMPARED = (
    "hash",
    "label",
    "kind",
    "annotator",
    "recorded_at",
    "source",
    "duration_ms",
    *(
        name
        for name in (f.name for f in fields(LabelOrigin))
        if name not in ("calibration", "project")
    ),
)
"""What an event says. The words of a calibration and the name of a project may be other ones today."""
TAKE_BACK = ("taken_back_event", "taken_back_by", "taken_back_at")
_TIMES = ("recorded_at", "taken_back_at")
_CLASSES = ("label", "suggestion")


@dataclass(frozen=True, slots=True)
class GivenTakeBack:
    """A take-back of a label."""

    of_event: str
    event_id: str
    annotator: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class GivenHistory:
    """What a history adds to the project."""

    answers: list[RecordedAnswer]
    """In the order of their recording."""
    take_backs: list[GivenTakeBack]
    known: int
    """Rows that the project has already."""
    moves: dict[Role, list[int]]
    """Role -> images that shall take it."""
    left_out: int
    """Rows that are left out because of their role."""
    findings: Findings


def given_by_history(
    reader: Reader, records: Sequence[Record], path: Path, roles: RoleMismatch, find: ImageFinder
) -> GivenHistory:
    """What the records (`label_formats.record.full_record`) add, and what is wrong with them.

    `roles` says what to do where a record gives an image another role.
    """
    findings = Findings(path)
    check = RoleCheck(roles, find, findings)
    names = _class_ids(reader)
    kept: list[tuple[int, Record]] = []
    for line, record in enumerate(records, 1):
        where = f"row {line}"
        image_id = find.image_id("", record["hash"])
        if image_id is None:
            findings.unknown_images.append(f"{record['image'] or record['hash']!r} ({where})")
            continue
        if record["label"] is not None and composed(record["label"]) not in names:
            findings.unknown_classes.setdefault(record["label"], where)
            continue
        role = None if record["role"] is None else Role(record["role"])
        if check.allows(image_id, role, record["image"] or record["hash"], where):
            kept.append((image_id, record))
    check.finish()

    own = {each["event_id"]: each for each in LabelRecords(reader, history=True)}
    findings.histories += _repeated([record for _, record in kept], own)
    findings.histories += _changed([record for _, record in kept], own, names)
    if not findings.histories:
        findings.histories += _not_continued([record for _, record in kept], own)
    answers = [
        RecordedAnswer(
            _answer(record, image_id, names), _time(record["recorded_at"]), _origin(record)
        )
        for image_id, record in kept
        if record["event_id"] not in own
    ]
    take_backs = [
        GivenTakeBack(
            record["event_id"],
            record["taken_back_event"],
            record["taken_back_by"],
            _time(record["taken_back_at"]),
        )
        for _, record in kept
        if _is_news(record, own) and record["taken_back_event"] is not None
    ]
    known = sum(not _is_news(record, own) for _, record in kept)
    return GivenHistory(answers, take_backs, known, check.moves, check.left_out, findings)


def record_history(writer: Writer, given: GivenHistory) -> None:
    """Record what a history without faults adds."""
    writer.labels.add_recorded(given.answers)
    for each in given.take_backs:
        label = writer.labels.by_event(each.of_event)
        if label is not None:
            writer.labels.retract(
                label.id, each.event_id, each.annotator, each.recorded_at, recorded=True
            )


def _is_news(record: Record, own: Mapping[str, Record]) -> bool:
    """Whether the project lacks the event, or that it was taken back."""
    known = own.get(record["event_id"])
    return known is None or (
        record["taken_back_event"] is not None and known["taken_back_event"] is None
    )


def _repeated(records: Sequence[Record], own: Mapping[str, Record]) -> list[str]:
    """Ids that two events have: in the file, or two take-backs of the file and the project."""
    found = []
    seen: set[str] = set()
    taken = {r["taken_back_event"]: e for e, r in own.items() if r["taken_back_event"] is not None}
    for record in records:
        event, back = record["event_id"], record["taken_back_event"]
        if event in seen:
            found.append(f"the event {event!r} occurs twice")
        seen.add(event)
        if back is not None and taken.setdefault(back, event) != event:
            found.append(f"the take-back {back!r} takes back two events")
    return found


def _changed(
    records: Sequence[Record], own: Mapping[str, Record], names: Mapping[str, int]
) -> list[str]:
    """Events that the project has with another content."""
    found = []
    for record in records:
        known = own.get(record["event_id"])
        if known is None:
            continue
        columns = COMPARED
        if record["taken_back_event"] is not None and known["taken_back_event"] is not None:
            columns = (*COMPARED, *TAKE_BACK)
        differing = [
            name for name in columns if _same(name, record, names) != _same(name, known, names)
        ]
        if differing:
            name = differing[0]
            found.append(
                f"the event {record['event_id']!r} has the {name} {record[name]!r}, and {known[name]!r} here"
            )
    return found


def _not_continued(records: Sequence[Record], own: Mapping[str, Record]) -> list[str]:
    """Images and people whose events in the project are not the beginning of those in the file."""
    here: dict[tuple[str, str], list[Record]] = {}
    for record in own.values():
        here.setdefault((record["hash"], record["annotator"]), []).append(record)
    there: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        there.setdefault((record["hash"], record["annotator"]), []).append(record)
    found = []
    for pair, told in there.items():
        before = here.get(pair, [])
        if not before or not any(_is_news(record, own) for record in told):
            continue
        beginning = [record["event_id"] for record in told[: len(before)]]
        missing = [r for r, t in zip(before, told, strict=False) if _forgets(t, r)]
        if beginning != [record["event_id"] for record in before] or missing:
            image = told[0]["image"] or pair[0]
            found.append(
                f"{image} of {pair[1]!r} has {len(before)} recorded answers here that are not the "
                f"beginning of those in the file"
            )
    return found


def _forgets(told: Record, known: Record) -> bool:
    """Whether the file does not know that a label was taken back here."""
    return told["taken_back_event"] is None and known["taken_back_event"] is not None


def _same(name: str, record: Record, names: Mapping[str, int]) -> Any:
    """A value that is equal for two records that say the same in this column."""
    value = record[name]
    if value is None:
        return None
    if name in _TIMES:
        return _time(value)
    if name in _CLASSES:
        return names.get(composed(value), value)
    return value


def _class_ids(reader: Reader) -> dict[str, int]:
    """Every name that a class ever had in this project -> the id of the class; the present name decides."""
    return {
        composed(c.name): stored_id(c.id)
        for version in versions(reader)
        for c in (*version.classes, *version.former)
    }


def _answer(record: Record, image_id: int, names: Mapping[str, int]) -> Answer:
    return Answer(
        event_id=record["event_id"],
        image_id=image_id,
        kind=AnswerKind(record["kind"]),
        annotator=record["annotator"],
        class_id=None if record["label"] is None else names[composed(record["label"])],
        duration_ms=record["duration_ms"],
        source=record["source"],
    )


def _origin(record: Record) -> LabelOrigin:
    return LabelOrigin(**{each.name: record[each.name] for each in fields(LabelOrigin)})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
