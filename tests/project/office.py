"""A project in memory with one open round, and people who answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    Item,
    LateAnswers,
    NewItem,
    ProjectFolder,
    Role,
)
from alworkbench.project.labels import Labels
from alworkbench.project.session import Session
from store import memory_store
from tests.store.making import CLASSES, NOW, SETTINGS, import_pictures, new_round


class Office:
    """A project in memory with one open round, a clock that can be set, and people who answer."""

    def __init__(self, wanted: list[int], rule: LateAnswers = LateAnswers.KEEP) -> None:
        self.time = NOW
        self.store = memory_store(replace(SETTINGS, late_answers=rule), CLASSES, NOW)
        import_pictures(self.store, len(wanted))
        self.session = Session(ProjectFolder(Path("office")), self.store, clock=lambda: self.time)
        self.labels = Labels(self.session)
        items = [NewItem(n + 1, None, None, wanted=each) for n, each in enumerate(wanted)]
        with self.store.write() as writer:
            self.round = writer.rounds.open(replace(new_round([]), items=items), NOW)
        self.events = 0

    def claim(self, who: str, limit: int = 9) -> list[Item]:
        return self.labels.claim(who, limit)

    def answer(self, who: str, item: Item, class_id: int = 1):
        self.events += 1
        return self.labels.record(
            Answer(
                f"event {self.events}",
                item.image_id,
                AnswerKind.CLASS,
                who,
                class_id=class_id,
                item_id=item.id,
                lease_token=item.lease.token if item.lease else None,
                duration_ms=1000,
            )
        )

    def undo(self, who: str):
        self.events += 1
        return self.labels.undo(who, f"event {self.events}")

    def items(self) -> list[Item]:
        with self.store.read() as reader:
            return reader.rounds.items(self.round.id)

    def current(self, image: int):
        with self.store.read() as reader:
            return reader.labels.current(Role.POOL).get(image)
