"""Any history of answers, repeats and take-backs leaves what a list of them would leave."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alworkbench.core.domain import Answer, Label, Role
from alworkbench.core.ports import Store
from store import create_store, memory_store
from tests.store.making import CLASSES, NOW, SETTINGS, answer, import_pictures, open_round
from tests.store.server import empty_database

IMAGES = 3
people = st.sampled_from(["ann", "bob"])
images = st.integers(1, IMAGES)


class LabelHistory(RuleBasedStateMachine):
    """The model: labels in the order of recording, and the ids of those taken back."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.new_store()
        import_pictures(self.store, IMAGES)
        self.round = open_round(self.store, list(range(1, IMAGES + 1)))
        self.given: list[Answer] = []
        self.labels: list[Label] = []
        self.gone: set[int] = set()

    def new_store(self) -> Store:
        return memory_store(SETTINGS, CLASSES, NOW)

    def counting(self) -> list[Label]:
        return [label for label in self.labels if label.id not in self.gone]

    @rule(image=images, person=people, asked=st.booleans(), minutes=st.integers(-60, 60))
    def label(self, image: int, person: str, asked: bool, minutes: int) -> None:
        given = answer(f"e{len(self.given)}", image, person, item_id=image if asked else None)
        with self.store.write() as writer:
            self.labels.append(writer.labels.add(given, NOW + timedelta(minutes=minutes)))
        self.given.append(given)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.given) - 1))
        with self.store.write() as writer:
            assert writer.labels.add(self.given[number], NOW) == self.labels[number]

    @rule(person=people)
    def undo(self, person: str) -> None:
        mine = [la for la in self.counting() if la.annotator == person and la.item_id is not None]
        with self.store.write() as writer:
            newest = writer.labels.newest_of(person, self.round.id)
            assert newest == (mine[-1] if mine else None)
            if newest:
                writer.labels.retract(newest.id, f"u{newest.id}", person, NOW)
                self.gone.add(newest.id)

    @precondition(lambda self: self.labels)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from(self.labels))
        with self.store.write() as writer:
            writer.labels.retract(label.id, f"t{label.id}", label.annotator, NOW)
        self.gone.add(label.id)

    @invariant()
    def the_store_says_what_the_list_says(self) -> None:
        counting = self.counting()
        with self.store.read() as reader:
            assert reader.labels.count() == len(self.labels)
            assert reader.labels.current(Role.POOL) == {la.image_id: la for la in counting}
            for image in range(1, IMAGES + 1):
                of_image = [label for label in self.labels if label.image_id == image]
                assert reader.labels.history(image) == of_image
            of_item = {label.item_id: label for label in counting}
            for item in reader.rounds.items(self.round.id):
                assert item.label == of_item.get(item.id)

    def teardown(self) -> None:
        self.store.close()


LabelHistory.TestCase.settings = settings(
    deadline=None, derandomize=True, max_examples=15, stateful_step_count=15
)
TestLabelHistory = LabelHistory.TestCase


class ServerHistory(LabelHistory):
    """The same on a server."""

    def new_store(self) -> Store:
        self.folder = TemporaryDirectory()
        place = Path(self.folder.name)
        return create_store(place, SETTINGS, CLASSES, NOW, server=empty_database())

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


ServerHistory.TestCase.settings = settings(
    deadline=None, derandomize=True, max_examples=4, stateful_step_count=15
)
TestServerHistory = ServerHistory.TestCase
