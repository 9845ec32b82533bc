"""A fair share: nobody sits idle while another person holds images that they have not seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.errors import NoOpenRound
from alworkbench.project.fair_share import FEWEST, LATELY, MOST, PAUSE, PAUSED, fair_share
from tests.project.office import Office

SECOND = timedelta(seconds=1)


class Desk:
    """What the labelling page of one person does: it asks after each answer, and gives back the surplus."""

    def __init__(self, office: Office, who: str, tab: str = "one") -> None:
        self.office, self.who, self.tab = office, who, tab
        self.waiting: list = []
        self.done = False

    def ask(self) -> None:
        share = self.office.labels.take_share(self.who, self.tab)
        given = {item.id for item in share.items}
        spare = [item.id for item in self.waiting if item.id not in given]
        self.office.labels.release(self.who, self.tab, spare)
        self.waiting, self.done = share.items, share.done
        assert len(self.waiting) <= share.limit

    def turn(self) -> bool:
        """Answer the image on screen; returns whether there was one."""
        there = bool(self.waiting)
        if there:
            self.office.answer(self.who, self.waiting.pop(0))
        self.ask()
        return there


@given(left=st.integers(0, 10_000), people=st.integers(1, 50), tabs=st.integers(1, 5))
def test_a_share_is_what_is_left_for_each_tab_within_its_bounds(left, people, tabs):
    share = fair_share(left, people, tabs)
    assert FEWEST <= share <= MOST
    assert share == FEWEST or share * people * tabs <= left
    assert fair_share(left, people, tabs, pauses=True) == (PAUSED if people > 1 else share)


@given(
    items=st.lists(st.integers(1, 3), min_size=1, max_size=16),
    comes=st.lists(st.integers(0, 6), min_size=2, max_size=4),
)
@settings(max_examples=10)
def test_with_equal_speed_nobody_waits_a_second_turn_while_another_holds_unseen_images(
    items, comes
):
    """People come at different turns. Who has an image to answer waits at most one turn beside a hoard."""
    office = Office(items)
    desks = [Desk(office, f"person {n}") for n in range(len(comes))]
    wanted = sum(min(each, len(desks)) for each in items)
    for turn in range(sum(items) + max(comes) + 3):
        at_work = [d for d, start in zip(desks, comes, strict=True) if start <= turn]
        before = {d.who: len(d.waiting) for d in at_work}
        waited = {d.who for d in at_work if not d.turn()}
        office.time += SECOND
        for desk in at_work:
            came_now = comes[desks.index(desk)] >= turn - 1
            if desk.who in waited and not desk.done and not came_now and not desk.waiting:
                assert max(before.values()) <= FEWEST
        if sum(len(item.answered_by) for item in office.items()) == wanted:
            break
    answered = [len(set(item.answered_by)) for item in office.items()]
    # Nobody hoards: the round ends when there are enough people for the answers that are wanted.
    assert answered == [min(wanted, len(desks)) for wanted in items]


def test_who_comes_while_others_hold_all_that_is_left_gets_images_after_one_turn():
    office = Office([1] * 20)
    ann, bob, eve = (Desk(office, who) for who in ("ann", "bob", "eve"))
    for desk in (ann, bob, ann, bob):
        desk.ask()
    assert (len(ann.waiting), len(bob.waiting)) == (10, 10)
    eve.ask()
    assert eve.waiting == []
    assert not eve.done
    ann.turn()
    eve.ask()
    assert len(eve.waiting) == 3  # ann keeps 6 of 9


def test_tabs_of_one_person_share_the_share_of_one_person():
    office = Office([1] * 40)
    ann, bob = Desk(office, "ann"), Desk(office, "bob")
    second = Desk(office, "bob", "two")
    for desk in (ann, bob, second, ann, bob, second):
        desk.ask()
    assert [len(desk.waiting) for desk in (ann, bob, second)] == [20, 10, 10]


def test_who_pauses_keeps_the_image_on_screen_alone_and_an_answer_ends_the_pause():
    office = Office([1] * 12)
    ann, bob = Desk(office, "ann"), Desk(office, "bob")
    ann.ask(), bob.ask(), ann.ask()
    first = ann.waiting[0].id
    end = office.time + PAUSE + 15 * SECOND
    while office.time < end:  # ann's page stays open and asks, and bob answers now and then
        office.time += 15 * SECOND
        ann.ask(), bob.turn()
    assert [item.id for item in ann.waiting] == [first]
    while bob.turn():
        office.time += SECOND
    assert [i.id for i in office.items() if not i.complete] == [first]
    for _ in range(2):
        office.undo("bob")
    office.labels.release("bob", "one", [item.id for item in office.items()])
    ann.turn()
    assert len(ann.waiting) == 2  # ann is at work again


def test_a_page_that_does_not_ask_any_more_leaves_its_share_to_others():
    office = Office([1] * 30)
    ann, bob = Desk(office, "ann"), Desk(office, "bob")
    ann.ask(), bob.ask()
    assert len(bob.waiting) == 6  # ann came first and has 24
    office.labels.release("ann", "one", [item.id for item in ann.waiting])
    office.time += LATELY + SECOND
    bob.ask()
    assert len(bob.waiting) == MOST


def test_who_has_answered_all_they_may_is_told_so_and_who_must_wait_is_not():
    office = Office([2, 2])
    ann, bob, eve = (Desk(office, who) for who in ("ann", "bob", "eve"))
    ann.ask()
    while ann.turn():
        pass
    assert ann.done
    bob.ask()
    eve.ask()
    assert eve.waiting == []
    assert not eve.done  # bob may give them back
    while bob.turn():
        pass
    ann.ask()
    assert not ann.done  # the round itself is complete
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, office.time)
    with pytest.raises(NoOpenRound):
        ann.ask()


@given(jump=st.sampled_from([timedelta(hours=1), timedelta(hours=-1)]))
@settings(max_examples=2)
def test_a_clock_that_was_set_keeps_nobody_from_working(jump):
    office = Office([1] * 8)
    ann, bob = Desk(office, "ann"), Desk(office, "bob")
    ann.ask(), bob.ask()
    office.time += jump
    for _ in range(12):
        ann.turn(), bob.turn()
        office.time += SECOND
    assert all(item.complete for item in office.items())
