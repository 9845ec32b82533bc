"""Rules of people who label together that were broken once.

The comparison with a plain model (`test_team_machine.py`) found three of them; the others were found by
reading the code beside the documented rules.
"""

from __future__ import annotations

import pytest

from alworkbench.core.domain import Answer, AnswerKind, Late, LateAnswers, Role
from alworkbench.core.errors import AnswerTooLate, LeaseLost, NothingToUndo
from alworkbench.project.lease_time import LONGEST
from tests.project.office import Office
from tests.project.test_working_together import disagreeing
from tests.store.making import HOUR, MINUTE


def close_round(office: Office) -> None:
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, office.time)


@pytest.mark.parametrize("people", [("ann",), ("ann", "bob")])
def test_a_late_answer_replaces_no_answer_in_time_of_the_same_person(
    people: tuple[str, ...],
) -> None:
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


def test_a_take_back_with_the_event_id_of_another_person_is_refused_and_takes_nothing_back() -> (
    None
):
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


@pytest.mark.parametrize("rule", LateAnswers)
def test_a_lease_that_ended_by_a_clock_set_back_keeps_nobody_from_answering(
    rule: LateAnswers,
) -> None:
    office = Office([1], rule)
    office.claim("bob")
    (item,) = office.items()
    with pytest.raises(LeaseLost):
        office.answer("ann", item)
    office.time -= HOUR
    assert office.answer("ann", item).late is None


def test_who_gave_a_late_answer_holds_the_item_no_more() -> None:
    office = Office([1])
    (anns,) = office.claim("ann")
    office.time += LONGEST
    (bobs,) = office.claim("bob")
    office.answer("ann", anns)
    assert office.answer("bob", bobs).late is Late.ANSWERED
    office.undo("ann")
    (item,) = office.items()
    assert (item.answered_by, item.late_by, item.held(office.time)) == ((), ("bob",), ())
    assert office.answer("eve", item).late is None


def test_who_corrects_the_own_answer_needs_no_lease() -> None:
    office = Office([2])
    office.answer("ann", office.claim("ann")[0])
    office.claim("bob")
    (item,) = office.items()
    assert office.answer("ann", item, class_id=2).late is None


def several(office: Office, *given: tuple[str, str, int | None]) -> list[Answer]:
    """Answers to image 1: event id, person, item."""
    return [
        Answer(event, 1, AnswerKind.CLASS, who, class_id=1, item_id=item)
        for event, who, item in given
    ]


@pytest.mark.parametrize("rule", LateAnswers)
@pytest.mark.parametrize(
    "given",
    [
        [("e1", "ann", 1), ("e2", "bob", 1)],
        [("e1", "ann", None), ("e2", "bob", 1)],
        [("e1", "ann", 1), ("e1", "ann", 1), ("e2", "bob", 1)],
        [("taken back", "ann", 1), ("e2", "bob", 1)],
    ],
)
def test_answers_in_one_transaction_are_judged_as_one_after_the_other(
    rule: LateAnswers, given: list[tuple[str, str, int | None]]
) -> None:
    ends = []
    for together in (True, False):
        office = Office([1], rule)
        office.labels.record_many(several(office, ("taken back", "ann", 1)))
        office.labels.undo("ann", "undo")
        answers = several(office, *given)
        try:
            if together:
                found = office.labels.record_many(answers)
            else:
                found = [office.labels.record(each) for each in answers]
            ends.append([(each.event_id, each.late) for each in found])
        except AnswerTooLate:
            ends.append([])
    assert ends[0] == ends[1]


def test_a_renewed_lease_lasts_as_long_as_a_new_one_however_often_the_clock_is_set_back() -> None:
    office = Office([1])
    for minutes in (0, 5, 9, 9, 18, 30):
        office.time -= minutes * MINUTE
        (item,) = office.claim("ann")
        assert item.lease.until <= office.time + LONGEST
