"""A project with many answers, for the tests of the gallery and of acts on selections."""

from __future__ import annotations

import itertools
import random

from alworkbench.core.domain import Answer, AnswerKind, Role
from alworkbench.project.workbench import Workbench
from tests.making_project import NAMES

_events = itertools.count()


def all_images(workbench: Workbench) -> list[int]:
    """Ids of all images, in their order."""
    with workbench.session.store.read() as reader:
        return sorted(i for role in Role for i, _ in reader.images.ids_and_hashes(role))


def answer_at_random(workbench: Workbench, number: int, seed: int) -> None:
    """So many answers of three people to random images, some of them taken back."""
    chance, images = random.Random(seed), all_images(workbench)
    classes = [c.id for c in workbench.classes.current().classes]
    assert len(classes) == len(NAMES)
    for _ in range(number):
        kind = chance.choice([AnswerKind.CLASS] * 4 + [AnswerKind.SKIP, AnswerKind.CANNOT_TELL])
        given = Answer(
            event_id=f"random-{next(_events)}",
            image_id=chance.choice(images),
            kind=kind,
            annotator=chance.choice(("ada", "bob", "cyd")),
            class_id=chance.choice(classes) if kind is AnswerKind.CLASS else None,
            suggested_class_id=chance.choice([None, *classes]),
        )
        label = workbench.labels.record(given)
        if chance.random() < 0.2:
            with workbench.session.store.write() as writer:
                now = workbench.session.now()
                writer.labels.retract(label.id, f"back-{label.id}", label.annotator, now)
