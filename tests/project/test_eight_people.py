"""Eight people, one of them with two tabs, who answer one round at the same time, each in a thread."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from alworkbench.core.domain import Answer, AnswerKind, NewItem, ProjectFolder, Role
from alworkbench.core.errors import NothingToUndo
from alworkbench.project.labels import Labels
from alworkbench.project.session import Session
from tests.store.making import NOW, new_project, new_round

TABS = [(f"person {n}", f"tab {n}") for n in range(8)] + [("person 0", "second tab")]
IMAGES = 60


class Person:
    """One tab: it claims its share, answers, and now and then takes its newest answer back."""

    def __init__(self, labels: Labels, name: str, tab: str) -> None:
        self.labels, self.name, self.tab = labels, name, tab
        self.draw = random.Random(f"{name} {tab}")
        self.acknowledged: dict[str, int] = {}
        self.taken_back: list[tuple[str, str]] = []
        self.events = 0

    def work(self) -> None:
        """Until the round wants nothing more of this person."""
        idle = 0
        while idle < 3:
            share = self.labels.take_share(self.name, self.tab)
            idle = 0 if share.items else idle + 1
            for item in share.items:
                label = self.labels.record(
                    Answer(
                        self.event(),
                        item.image_id,
                        AnswerKind.CLASS,
                        self.name,
                        class_id=self.draw.randint(1, 3),
                        item_id=item.id,
                        lease_token=item.lease.token,
                        duration_ms=1000,
                    )
                )
                assert label.late is None
                self.acknowledged[label.event_id] = item.image_id
                if self.draw.random() < 0.1:
                    self.take_back()

    def take_back(self) -> None:
        try:
            label = self.labels.undo(self.name, self.event())
        except NothingToUndo:  # the other tab of this person was first
            return
        self.taken_back.append((label.annotator, label.event_id))

    def event(self) -> str:
        self.events += 1
        return f"{self.name} {self.tab} {self.events}"


@pytest.mark.parametrize("wanted", [1, 2])
def test_eight_people_at_once_give_each_image_its_answers_and_undo_only_their_own(
    wanted: int, tmp_path: Path
) -> None:
    store = new_project(tmp_path / "project", IMAGES)
    session = Session(ProjectFolder(tmp_path / "project"), store, clock=lambda: NOW)
    labels = Labels(session)
    items = [NewItem(n + 1, None, None, wanted=wanted) for n in range(IMAGES)]
    with store.write() as writer:
        round_ = writer.rounds.open(replace(new_round([]), items=items), NOW)
    people = [Person(labels, name, tab) for name, tab in TABS]
    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(Person.work, people))
    while left := [p for p in people if labels.claim(p.name, 9, p.tab)]:
        for person in left:
            person.work()
    with store.read() as reader:
        given = reader.labels.all()
        back = {each.label_id for each in reader.labels.take_backs()}
        items = reader.rounds.items(round_.id)
        current = reader.labels.current(Role.POOL)
    taken_back = [event for person in people for _, event in person.taken_back]
    acknowledged = {event: p.name for p in people for event in p.acknowledged}
    assert all(name == person.name for person in people for name, _ in person.taken_back)
    assert Counter(taken_back) == Counter(each.event_id for each in given if each.id in back)
    assert Counter(each.event_id for each in given) == Counter(acknowledged.keys())
    assert all(each.annotator == acknowledged[each.event_id] for each in given)
    assert len(current) == IMAGES
    for item in items:
        assert len(item.answered_by) == len(set(item.answered_by)) == wanted
    store.close()
