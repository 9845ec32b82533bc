"""Rules of people who label together that the comparison with a plain model has found broken once."""

from __future__ import annotations

import pytest

from alworkbench.core.domain import Late, Role
from alworkbench.core.errors import NothingToUndo
from tests.project.office import Office
from tests.project.test_working_together import disagreeing


def close_round(office: Office) -> None:
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, office.time)


@pytest.mark.parametrize("people", [("ann",), ("ann", "bob")])
def test_a_late_answer_replaces_no_answer_in_time_of_the_same_person(people: tuple[str, ...]) -> None:
    office = Office([len(people)])
    in_time = [office.answer(who, office.claim(who)[0]) for who in people]
    before = office.items()
    close_round(office)
    late = office.answer(people[-1], before[0], class_id=2)
    assert late.late is Late.CLOSED
    with office.store.read() as reader:
        assert reader.labels.opinions(Role.POOL) == {1: in_time}
        assert reader.labels.by_annotator(Role.POOL) == {1: in_time}
        assert reader.labels.of_annotator(people[-1]) == {1: in_time[-1]}
        assert reader.labels.history(1) == [*in_time, late]
    (item,) = office.items()
    assert (item.answered_by, item.label) == (people, in_time[-1])


def test_a_take_back_with_the_event_id_of_another_person_is_refused_and_takes_nothing_back() -> None:
    office = Office([1, 1])
    (anns,) = office.claim("ann", 1)
    office.answer("ann", anns)
    (bobs,) = office.claim("bob", 1)
    label = office.answer("bob", bobs)
    office.labels.undo("ann", "same")
    with pytest.raises(NothingToUndo):
        office.labels.undo("bob", "same")
    assert office.current(2) == label


def test_a_case_that_was_dismissed_after_an_answer_comes_back_only_after_a_later_one() -> None:
    office = Office([2, 2])
    reviews = disagreeing(office)
    reviews.open_disagreements()
    office.answer("ann", office.items()[0], 3)  # while the case is open
    closed = reviews.dismiss(reviews.cases()[0].review.id, "eve")
    with office.store.read() as reader:
        assert closed.newest_label_id == reader.labels.history(1)[-1].id
    assert reviews.open_disagreements() == 0
    office.answer("bob", office.items()[0], 1)
    assert reviews.open_disagreements() == 1
