"""Cases for a reviewer: settled once for the whole image, passed on to another person, never removed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.core.domain import NewReview, Review, ReviewReason, ReviewState, Role
from alworkbench.core.errors import (
    CaseChanged,
    ReviewClosed,
    SecondOpinionAsked,
    UnknownClass,
)
from alworkbench.project.left_out_labels import LeftOutLabel, doubtful
from alworkbench.project.reviews import Reviews
from tests.project.test_working_together import Office
from tests.store.making import NOW


@pytest.fixture
def office() -> Office:
    """Two people gave image 1 different classes, and its label is doubtful besides."""
    office = Office([2])
    for who, class_id in (("ann", 1), ("bob", 2)):
        (item,) = office.claim(who)
        label = office.answer(who, item, class_id)
    error = NewReview(1, ReviewReason.LABEL_ERROR, label.id, 0.02, 3, 0.9)
    reviews_of(office).open_disagreements()
    with office.store.write() as writer:
        assert writer.reviews.open([error], NOW) == 1
    return office


def reviews_of(office: Office) -> Reviews:
    return Reviews(office.session, lambda: None)  # type: ignore[arg-type]


def everything(office: Office) -> list[Review]:
    return [each.review for each in reviews_of(office).cases(closed=True)]


def class_names(office: Office) -> tuple[str, ...]:
    with office.store.read() as reader:
        return reader.classes.current().names


def test_a_decision_closes_every_open_case_of_its_image_with_one_answer(office: Office) -> None:
    reviews = reviews_of(office)
    assert [e.review.reason for e in reviews.cases()] == ["disagreement", "label_error"]
    closed = reviews.resolve(2, "eve", class_names(office)[0], seconds=2.5)
    assert reviews.cases() == []
    assert {e.label_id for e in everything(office)} == {closed.label_id}
    label = office.current(1)
    assert (label.id, label.class_id, label.duration_ms) == (closed.label_id, 1, 2500)


def test_a_second_opinion_is_given_by_another_reviewer(office: Office) -> None:
    reviews, names = reviews_of(office), class_names(office)
    asked = reviews.pass_on(2, "eve", names[1], "blurry")
    (case,) = reviews.cases()
    assert case.review == asked
    assert (asked.reason, asked.asked_by) == (ReviewReason.SECOND_OPINION, "eve")
    assert (asked.probability, asked.predicted_class_id, asked.odds) == (0.02, 3, pytest.approx(45))
    assert [e.state for e in case.earlier] == [ReviewState.PASSED_ON] * 2
    assert [(e.closed_by, e.opinion_class_id, e.note) for e in case.earlier] == [
        ("eve", 2, "blurry")
    ] * 2
    before = everything(office), office.current(1)
    for refused in (reviews.resolve, reviews.pass_on):
        with pytest.raises(SecondOpinionAsked, match="'eve' asked for"):
            refused(asked.id, "eve", names[0])
    assert (everything(office), office.current(1)) == before
    reviews.resolve(asked.id, "joe", names[0])
    assert office.current(1).annotator == "joe"
    with pytest.raises(ReviewClosed):
        reviews.pass_on(asked.id, "ann", None)


def test_while_a_second_opinion_is_asked_for_its_image_has_no_other_case(office: Office) -> None:
    reviews = reviews_of(office)
    asked = reviews.pass_on(1, "eve", None)
    office.answer("ann", office.items()[0], 3)
    assert reviews.open_disagreements() == 0
    again = reviews.pass_on(asked.id, "joe", None)
    assert [e.review.id for e in reviews.cases()] == [again.id]
    reviews.dismiss(again.id, "joe")
    assert reviews.open_disagreements() == 0
    office.answer("ann", office.items()[0], 1)
    assert reviews.open_disagreements() == 1


def test_the_asker_may_leave_the_answers_and_nothing_comes_back(office: Office) -> None:
    reviews = reviews_of(office)
    asked = reviews.pass_on(1, "eve", None)
    assert reviews.dismiss(asked.id, "eve").state is ReviewState.DISMISSED
    assert reviews.open_disagreements() == 0
    assert reviews.cases() == []


def test_an_unknown_class_passes_nothing_on(office: Office) -> None:
    with pytest.raises(UnknownClass):
        reviews_of(office).pass_on(1, "eve", "no such class")
    assert len(reviews_of(office).cases()) == 2
    with office.store.read() as reader:
        assert len(reader.labels.by_annotator(Role.POOL)[1]) == 2


PROBABILITIES = st.floats(1e-9, 0.5)


@given(left=st.lists(PROBABILITIES, max_size=12), odds=st.floats(1.0, 1000.0))
def test_doubtful_labels_are_those_above_the_cut_in_order_of_their_odds(left, odds) -> None:
    labels = [LeftOutLabel(n, 0, 1, p, 0.5) for n, p in enumerate(left)]
    agreeing = LeftOutLabel(99, 1, 1, 0.5, 0.5)
    found = doubtful([*labels, agreeing], odds)
    assert agreeing not in found
    assert {e.image_id for e in found} == {
        n for n, p in enumerate(left) if 0.5 / max(p, 1e-6) > odds
    }
    assert sorted(found, key=lambda e: -e.odds) == found


def test_a_clear_error_among_sure_labels_is_found() -> None:
    """Confident learning asks of the other class at least its mean left-out probability, here 0.97."""
    sure = [LeftOutLabel(n, n % 4, n % 4, 0.97, 0.97) for n in range(23)]
    wrong = LeftOutLabel(23, 0, 1, 0.08, 0.64)
    assert doubtful([*sure, wrong], 5.0) == [wrong]


EVENT = "event-0000000000000"


@pytest.mark.parametrize("act", ["resolve", "dismiss", "pass_on"])
def test_the_same_event_acts_once_for_who_sent_it_first(office: Office, act: str) -> None:
    reviews, name = reviews_of(office), class_names(office)[0]

    def send(case: int, by: str) -> Review:
        version = reviews.case(case).version if case in open_ids() else "gone"
        more = () if act == "dismiss" else (name,)
        return getattr(reviews, act)(case, by, *more, event_id=EVENT, version=version)

    def open_ids() -> list[int]:
        return [each.review.id for each in reviews.cases()]

    first = send(2, "eve")
    stands = everything(office), office.current(1)
    assert send(2, "eve") == first
    for case, by in ((2, "joe"), (1, "eve")):
        with pytest.raises(ReviewClosed):
            send(case, by)
    assert (everything(office), office.current(1)) == stands


@pytest.mark.parametrize("change", ["answer", "take-back", "case"])
def test_a_case_that_changed_since_it_was_seen_is_not_decided(office: Office, change: str) -> None:
    reviews, name = reviews_of(office), class_names(office)[0]
    seen = reviews.case(1).version
    if change == "answer":
        office.answer("ann", office.items()[0], 3)
    elif change == "take-back":
        with office.store.write() as writer:
            writer.labels.retract(1, "back", "ann", NOW)
    else:
        reviews.dismiss(2, "joe")
    before = everything(office), office.current(1)
    for act, more in ((reviews.resolve, [name]), (reviews.pass_on, [name]), (reviews.dismiss, [])):
        with pytest.raises(CaseChanged, match="Look at the case again"):
            act(1, "eve", *more, event_id=EVENT, version=seen)
    assert (everything(office), office.current(1)) == before
    reviews.dismiss(1, "eve", event_id=EVENT, version=reviews.case(1).version)
    with pytest.raises(ReviewClosed):
        reviews.case(1)


def test_cases_wait_in_the_order_of_the_reviewer(office: Office) -> None:
    reviews = reviews_of(office)

    def order(**more: Any) -> list[int]:
        return [each.review.id for each in reviews.waiting("eve", **more).cases]

    assert (order(), order(later=[1]), order(later=[2, 1])) == ([1, 2], [2, 1], [2, 1])
    one = reviews.waiting("eve", ReviewReason.LABEL_ERROR, most=1)
    assert ([e.review.id for e in one.cases], one.total) == ([2], 1)
    assert one.counts == {"disagreement": 1, "label_error": 1, "second_opinion": 0}
    assert one.cases == [reviews.case(2)]
    assert reviews.closed(5) == []
    reviews.dismiss(1, "joe")
    (closed,) = reviews.closed(5)
    assert (closed.review.id, order()) == (1, [2])
    assert reviews.closed(5, closed.review.closed_at) == []
