"""People who label together: leases, wanted answers, late answers and take-backs."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import (
    Item,
    Late,
    LateAnswers,
    NewItem,
    NewReview,
    ReviewReason,
    ReviewState,
    Role,
    Suggestion,
)
from alworkbench.core.errors import (
    AnswerTooLate,
    LeaseLost,
    NothingToUndo,
    NotYourAnswer,
    ReviewClosed,
    UnknownClass,
)
from alworkbench.project.lease_time import LONGEST, SHORTEST, lease_time
from alworkbench.project.reviews import Reviews
from alworkbench.project.shared_work import shared_out
from alworkbench.project.team import Team
from tests.project.office import Office
from tests.store.making import (
    HOUR,
    MINUTE,
    NOW,
    SETTINGS,
    answer,
    import_pictures,
    new_project,
    new_round,
)

PEOPLE = ("ann", "bob", "eve", "joe")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["claim", "answer", "answer", "answer", "undo", "wait", "jump", "back"]),
        st.integers(1, 3),
    ),
    max_size=40,
)


@given(wanted=st.lists(st.integers(1, 3), min_size=1, max_size=4), steps=STEPS)
@settings(max_examples=40)
def test_an_item_is_shown_to_as_many_people_as_it_wants_and_to_nobody_twice(wanted, steps):
    """Whoever claims, answers, takes back, waits, and however the clock jumps."""
    office = Office(wanted)
    held: dict[str, list[Item]] = {who: [] for who in PEOPLE}
    for who, what, number in steps:
        if what == "claim":
            held[who] = office.claim(who, number)
            for item in held[who]:
                # A lease that ends within the shortest time is running, wherever the clock was set.
                soon = office.time + SHORTEST
                holders = {e.annotator for e in item.leases if office.time < e.until <= soon}
                assert who not in item.answered_by
                assert item.lease.until > office.time
                assert len({*holders, *item.answered_by, who}) <= item.wanted
        elif what == "answer" and held[who]:
            given_label = office.answer(who, held[who].pop(0))
            assert given_label.annotator == who
        elif what == "undo":
            try:
                assert office.undo(who).annotator == who
                held[who] = []
            except NothingToUndo:
                pass
        elif what in ("wait", "jump", "back"):
            office.time += {"wait": MINUTE, "jump": HOUR, "back": -HOUR}[what]
        for item in office.items():
            assert len(set(item.answered_by)) == len(item.answered_by) <= item.wanted
    # Whatever happened, people who go on answering finish the round.
    for who in PEOPLE:
        office.time += 2 * HOUR
        while items := office.claim(who):
            for item in items:
                office.answer(who, item)
    for item in office.items():
        assert item.complete
        assert len(set(item.answered_by)) == item.wanted


@pytest.mark.parametrize("overlap", [1, 2, 3, 4])
def test_overlap_n_gives_exactly_n_answers_by_n_people(overlap: int) -> None:
    office = Office([overlap] * 5)
    answered = True
    while answered:
        answered = False
        for who in PEOPLE:
            for item in office.claim(who, 2):
                answered = bool(office.answer(who, item))
    with office.store.read() as reader:
        given_answers = reader.labels.all()
        progress = reader.rounds.progress(office.round.id)
    assert Counter(each.image_id for each in given_answers) == {n + 1: overlap for n in range(5)}
    assert len({(each.image_id, each.annotator) for each in given_answers}) == 5 * overlap
    assert (progress.answers, progress.wanted, progress.items_left) == (5 * overlap, 5 * overlap, 0)


def test_two_people_work_on_one_item_at_the_same_time_where_two_answers_are_wanted() -> None:
    office = Office([2, 1])
    assert [i.image_id for i in office.claim("ann")] == [1, 2]
    assert [i.image_id for i in office.claim("bob")] == [1]
    assert office.claim("eve") == []


def test_progress_counts_wanted_answers_and_no_more() -> None:
    office = Office([2, 1])
    first, second = office.claim("ann")
    office.answer("ann", first)
    with office.store.read() as reader:
        progress = reader.rounds.progress(office.round.id)
    assert (progress.answers, progress.wanted, progress.items_complete) == (1, 3, 0)
    office.answer("ann", second)
    office.answer("ann", second, class_id=2)  # a correction is no second answer
    with office.store.read() as reader:
        progress = reader.rounds.progress(office.round.id)
    assert (progress.answers, progress.items_complete, progress.items_left) == (2, 1, 1)


def test_nobody_takes_back_the_answer_of_another_person() -> None:
    office = Office([1, 1])
    (item,) = office.claim("ann", 1)
    label = office.answer("ann", item)
    with pytest.raises(NothingToUndo):
        office.undo("bob")
    with pytest.raises(NotYourAnswer), office.store.write() as writer:
        writer.labels.retract(label.id, "u", "bob", NOW)
    assert office.current(1) == label
    assert office.undo("ann") == label


def test_a_take_back_that_is_sent_again_under_another_name_takes_nothing_back() -> None:
    office = Office([1, 1])
    (item,) = office.claim("ann", 1)
    office.answer("ann", item)
    office.labels.undo("ann", "same")
    with pytest.raises(NothingToUndo):
        office.labels.undo("bob", "same")


def test_an_item_whose_lease_ran_out_is_taken_over_and_the_first_answer_counts() -> None:
    office = Office([1])
    (anns,) = office.claim("ann")
    office.time += LONGEST
    (bobs,) = office.claim("bob")
    first = office.answer("ann", anns)  # her lease ran out, but nobody has answered
    assert first.late is None
    second = office.answer("bob", bobs, class_id=2)
    assert second.late is Late.ANSWERED
    assert office.current(1) == first
    assert office.items()[0].answered_by == ("ann",)


def test_a_project_that_refuses_late_answers_refuses_one_whose_lease_ran_out() -> None:
    office = Office([1], LateAnswers.REFUSE)
    (anns,) = office.claim("ann")
    office.time += LONGEST
    (bobs,) = office.claim("bob")
    with pytest.raises(LeaseLost, match="another person"):
        office.answer("ann", anns)
    assert office.answer("bob", bobs).late is None


@pytest.mark.parametrize("rule", LateAnswers)
@pytest.mark.parametrize("late", Late)
def test_a_late_answer_is_kept_as_a_second_opinion_or_refused(
    rule: LateAnswers, late: Late
) -> None:
    office = Office([1], rule)
    (anns,) = office.claim("ann")
    office.time += LONGEST
    (bobs,) = office.claim("bob")
    first = office.answer("bob", bobs)
    if late is Late.CLOSED:
        with office.store.write() as writer:
            writer.rounds.close(office.round.id, office.time)
    if rule is LateAnswers.REFUSE:
        with pytest.raises(AnswerTooLate, match=r"refuses late answers, so nothing was recorded"):
            office.answer("ann", anns, class_id=2)
    else:
        assert office.answer("ann", anns, class_id=2).late is late
    assert office.current(1) == first  # the last key does not win
    with office.store.read() as reader:
        assert reader.labels.by_annotator(Role.POOL) == {1: [first]}
        opinions = reader.labels.opinions(Role.POOL)[1]
    assert len(opinions) == (2 if rule is LateAnswers.KEEP else 1)


def test_an_answer_that_is_sent_twice_is_the_same_answer_even_when_it_would_be_late_now() -> None:
    office = Office([1], LateAnswers.REFUSE)
    (item,) = office.claim("ann")
    label = office.answer("ann", item)
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, office.time)
    office.events -= 1
    assert office.answer("ann", item) == label


def test_the_only_answer_to_an_image_counts_even_if_it_is_late() -> None:
    office = Office([1])
    (item,) = office.claim("ann")
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, office.time)
    late = office.answer("ann", item)
    assert late.late is Late.CLOSED
    assert office.current(1) == late


@pytest.mark.parametrize("seconds", [0, 1, 3, 10, 100, 1000])
def test_a_lease_lasts_as_long_as_the_pace_needs_within_its_bounds(seconds: int) -> None:
    times = [NOW + n * timedelta(seconds=seconds) for n in range(20)]
    lasts = lease_time(times, images=24)
    assert SHORTEST <= lasts <= LONGEST
    if seconds in (3, 10):
        assert lasts == 48 * timedelta(seconds=seconds)


def test_an_unknown_pace_gives_the_longest_lease_and_a_clock_set_back_changes_no_pace() -> None:
    assert lease_time([], 24) == lease_time([NOW] * 4, 24) == LONGEST
    times = [NOW + n * timedelta(seconds=5) for n in range(10)]
    set_back = [*times, *(time - HOUR for time in times)]
    assert lease_time(set_back, 24) == lease_time(times, 24) == timedelta(minutes=4)


def test_an_open_page_keeps_its_items_for_hours() -> None:
    office = Office([1, 1])
    tokens = [i.lease.token for i in office.claim("ann")]
    for _ in range(60):
        office.time += LONGEST / 2
        assert [i.lease.token for i in office.claim("ann")] == tokens
        assert office.claim("bob") == []


# ------------------------------------------------------------------------------- shares and reviews
@given(
    count=st.integers(1, 40),
    share=st.floats(0, 1),
    blind=st.floats(0, 1),
    overlap=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_shares_are_drawn_by_the_seed_and_recorded(count, share, blind, overlap, seed) -> None:
    asked = replace(SETTINGS, overlap=overlap, overlap_share=share, blind_share=blind)
    items = [NewItem(n, None, Suggestion(1, 0.5) if n % 2 else None) for n in range(count)]
    found = shared_out(items, asked, seed)
    assert found == shared_out(items, asked, seed)
    several = sum(item.wanted == overlap for item in found)
    assert {item.wanted for item in found} <= {1, overlap}
    if overlap > 1:
        assert abs(several - share * count) < 1
    assert not any(item.blind and item.suggestion is None for item in found)
    assert abs(sum(item.blind for item in found) - blind * (count // 2)) < 1


def test_the_usual_settings_share_nothing_out() -> None:
    items = [NewItem(n, None, Suggestion(1, 0.5)) for n in range(5)]
    assert shared_out(items, SETTINGS, 3) == items


def disagreeing(office: Office) -> Reviews:
    """Two people give image 1 different classes, and image 2 the same."""
    for who, class_id in (("ann", 1), ("bob", 2)):
        first, second = office.claim(who)
        office.answer(who, first, class_id)
        office.answer(who, second, 3)
    return Reviews(office.session, lambda: None)  # type: ignore[arg-type]


def test_a_disagreement_is_a_case_and_the_answer_of_the_reviewer_decides() -> None:
    office = Office([2, 2])
    reviews = disagreeing(office)
    assert reviews.open_disagreements() == 1
    assert reviews.open_disagreements() == 0  # it is open already
    (case,) = reviews.cases()
    assert (case.review.image_id, case.review.reason) == (1, ReviewReason.DISAGREEMENT)
    assert [label.annotator for label in case.history] == ["ann", "bob"]
    closed = reviews.resolve(case.review.id, "eve", "owl", "see the ears")
    assert (closed.state, closed.closed_by, closed.note) == (
        ReviewState.RESOLVED,
        "eve",
        "see the ears",
    )
    with office.store.read() as reader:
        (counting,) = reader.labels.by_annotator(Role.POOL)[1]
        assert len(reader.labels.history(1)) == 3  # nothing is removed
    assert (counting.id, counting.class_id, counting.source) == (closed.label_id, 3, "review")
    assert reviews.open_disagreements() == 0
    with pytest.raises(ReviewClosed, match="resolved by 'eve'"):
        reviews.dismiss(case.review.id, "joe")
    assert [each.review.state for each in reviews.cases(closed=True)] == [ReviewState.RESOLVED]


def test_a_dismissed_case_comes_back_only_after_a_new_answer() -> None:
    office = Office([2, 2])
    reviews = disagreeing(office)
    reviews.open_disagreements()
    reviews.dismiss(reviews.cases()[0].review.id, "eve")
    assert reviews.open_disagreements() == 0
    office.answer("ann", office.items()[0], 3)
    assert reviews.open_disagreements() == 1


def test_an_unknown_class_resolves_nothing() -> None:
    office = Office([2, 2])
    reviews = disagreeing(office)
    reviews.open_disagreements()
    (case,) = reviews.cases()
    with pytest.raises(UnknownClass, match="Nothing was recorded"):
        reviews.resolve(case.review.id, "eve", "bat")
    assert reviews.cases() == [case]


def test_agreement_and_pace_are_those_of_the_answers() -> None:
    office = Office([2, 2])
    disagreeing(office)
    team = Team(office.session, lambda: None)  # type: ignore[arg-type]
    (pair,) = team.agreement().pairs
    assert (pair.first, pair.second, pair.images, pair.share) == ("ann", "bob", 2, 0.5)
    ann, bob = team.pace()
    assert (ann.person, ann.answers, ann.median_seconds, ann.no_class) == ("ann", 2, 1.0, 0.0)
    assert (bob.compared, bob.agreement) == (2, 0.5)
    assert bob.low < 0.5 < bob.high
    assert team.suggestions().difference is None


def test_the_bias_of_suggestions_compares_items_with_and_without() -> None:
    office = Office([1])
    with office.store.write() as writer:
        writer.rounds.close(office.round.id, NOW)
    import_pictures(office.store, 21)
    items = [NewItem(n, None, Suggestion(1, 0.5), blind=n > 11) for n in range(2, 22)]
    with office.store.write() as writer:
        office.round = writer.rounds.open(replace(new_round([]), items=items), NOW)
    for item in office.claim("ann", 20):
        assert (item.shown_suggestion is None) == item.blind
        office.answer("ann", item, 1 if not item.blind else 1 + item.position % 2)
    bias = Team(office.session, lambda: None).suggestions()  # type: ignore[arg-type]
    assert (bias.shown, bias.shown_agree, bias.blind, bias.blind_agree) == (10, 10, 10, 5)
    assert bias.difference == 0.5


@pytest.mark.parametrize("statement", ["DELETE FROM review", "UPDATE review SET note = 'x'"])
def test_the_database_refuses_to_change_a_closed_case(statement: str, tmp_path: Path) -> None:
    with closing(new_project(tmp_path / "project.db", images=1)) as store, store.write() as writer:
        label = writer.labels.add(answer("e", 1), NOW)
        writer.reviews.open([NewReview(1, ReviewReason.DISAGREEMENT, label.id)], NOW)
        writer.reviews.close(1, by="eve", label_id=None, note=None, now=NOW)
    with (
        closing(sqlite3.connect(tmp_path / "project.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="review: "),
    ):
        connection.execute(statement)
