"""Values and stores for the tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    LabelClass,
    NewItem,
    NewRound,
    ProjectSettings,
    QuarantineCode,
    QuarantinedFile,
    Role,
    Round,
)
from alworkbench.core.ports import Store
from store import create_store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CLASSES = ClassList((LabelClass("cat"), LabelClass("dog"), LabelClass("owl")))
SETTINGS = ProjectSettings("animals", seed=7)


def content(number: int) -> str:
    """The hash of the picture with this number."""
    return f"{number:064x}"


def found(number: int, path: str | None = None) -> FoundImage:
    return FoundImage(content(number), path or f"{number}.png", 100 + number, 32, 24)


def refused(path: str) -> QuarantinedFile:
    return QuarantinedFile(path, QuarantineCode.TRUNCATED, "image file is truncated")


def answer(event_id: str, image_id: int, annotator: str = "ann", **more: object) -> Answer:
    values: dict[str, object] = {"kind": AnswerKind.CLASS, "class_id": 1} | more
    return Answer(event_id=event_id, image_id=image_id, annotator=annotator, **values)  # type: ignore[arg-type]


def new_project(path: Path, images: int = 0) -> Store:
    store = create_store(path, SETTINGS, CLASSES, NOW)
    import_pictures(store, images)
    return store


def import_pictures(store: Store, images: int, role: Role = Role.POOL) -> None:
    """Pictures 1 to `images`, which get the ids 1 to `images` in a new project."""
    with store.write() as writer:
        writer.images.add((found(n + 1) for n in range(images)), [], root="photos", role=role)


def open_round(store: Store, image_ids: list[int]) -> Round:
    with store.write() as writer:
        return writer.rounds.open(new_round(image_ids), NOW)


def new_round(image_ids: list[int]) -> NewRound:
    return NewRound(
        strategy="epig",
        seed=3,
        class_list_id=1,
        posterior_id=None,
        learner_id=None,
        seconds=0.5,
        items=[NewItem(image_id, None, None) for image_id in image_ids],
        settings={"draws": 8},
    )
