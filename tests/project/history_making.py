"""Projects with histories that hold everything which a label can have, for the laws of their exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    EncoderRecord,
    LabelClass,
    NewItem,
    NewRound,
    ProjectFolder,
    ProjectSettings,
    Role,
    Suggestion,
)
from alworkbench.core.ports import Store, Writer
from alworkbench.project.label_export import LabelRecords
from alworkbench.project.workbench import Workbench
from store import memory_store
from tests.store.making import NOW, found

CLASS_NAMES = ("=cmd|' /C calc'!A0", "-1", "'+1", 'größe, "L"', "猫", "a;b\u202fc", "true")
"""Names that spreadsheets, delimiters, quotation marks and types of columns could change."""
PEOPLE = ("ada", "=bob", "-eve", "Ånna; 猫")
POOL, AUDIT = 5, 2
ASKED = 3
"""Images 1 to 3 are asked by the round; the others get their labels without a round."""


@dataclass(frozen=True, slots=True)
class Event:
    """One answer, and whether it is taken back at the end."""

    image: int
    person: str
    kind: AnswerKind
    class_number: int
    duration_ms: int | None
    source: str
    back: bool


EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(1, POOL + AUDIT),
        st.sampled_from(PEOPLE),
        st.sampled_from(AnswerKind),
        st.integers(1, len(CLASS_NAMES)),
        st.none() | st.integers(0, 10**7),
        st.sampled_from(["browser", "csv", "=script", "oracle"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def project(folder: Path, name: str, names: Sequence[str] = CLASS_NAMES) -> Workbench:
    """The images, half of which are asked later, and no label."""
    classes = ClassList(tuple(LabelClass(each) for each in names))
    store = memory_store(ProjectSettings(name), classes, NOW)
    with store.write() as writer:
        pool, audit = (
            [found(n) for n in numbers]
            for numbers in (range(1, POOL + 1), range(POOL + 1, POOL + AUDIT + 1))
        )
        writer.images.add(audit if name == "other" else pool, [], root="photos", role=first(name))
        writer.images.add(pool if name == "other" else audit, [], root="photos", role=last(name))
    return Workbench(ProjectFolder(folder), store)


def first(name: str) -> Role:
    """The other project has its images in another order, so with other ids."""
    return Role.AUDIT if name == "other" else Role.POOL


def last(name: str) -> Role:
    return Role.POOL if name == "other" else Role.AUDIT


def recorded(workbench: Workbench, events: Sequence[Event], start: int = 0) -> None:
    """Record the events: the first half while a round is open, all others after it was closed."""
    half = (len(events) + 1) // 2
    store = workbench.session.store
    with store.write() as writer:
        if start == 0:
            _open(writer)
        for number, event in enumerate(events, start):
            if number == half and (now := writer.rounds.current()) is not None:
                writer.rounds.close(now.id, NOW)
            _record(writer, number, event)


def _open(writer: Writer) -> None:
    writer.computed.set_encoder(EncoderRecord("e", "toy"))
    posterior = writer.computed.add_posterior("e", "posterior", {}, NOW)
    items = [
        NewItem(n, -1 / n, Suggestion(n, 0.1 * n) if n > 1 else None, 1 / (n + 1))
        for n in range(1, ASKED + 1)
    ]
    writer.rounds.open(NewRound("=epig", 3, 1, posterior.id, None, 0.5, items), NOW)


def _record(writer: Writer, number: int, event: Event) -> None:
    named = event.kind is AnswerKind.CLASS
    answer = Answer(
        event_id=f"-e{number}",
        image_id=event.image,
        kind=event.kind,
        annotator=event.person,
        class_id=event.class_number if named else None,
        duration_ms=event.duration_ms,
        suggested_class_id=event.class_number,
        source=event.source,
    )
    at = NOW + timedelta(microseconds=number * 1_234_567)
    label = writer.labels.add(answer, at)
    if event.back:
        # An older version let people take back the answers of others.
        then = at + timedelta(seconds=1)
        writer.labels.retract(label.id, f"=back{number}", "=bob", then, recorded=True)


def records(workbench: Workbench, history: bool = True) -> list[dict[str, Any]]:
    """The records of an export."""
    with workbench.session.store.read() as reader:
        return list(LabelRecords(reader, history=history))


def dump(store: Store) -> list[object]:
    """Everything that labels are made of."""
    with store.read() as reader:
        return [
            reader.labels.all(),
            reader.labels.take_backs(),
            reader.labels.origins(),
            reader.images.role_changes(),
            [reader.images.ids_and_hashes(role) for role in Role],
        ]
