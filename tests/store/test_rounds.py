"""One round at a time; an item has one holder at most, and never for ever."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alworkbench.core.domain import NewItem, RoundState, Suggestion
from alworkbench.core.errors import NotInProject, RoundStillOpen
from alworkbench.core.ports import Store
from store import open_store
from tests.forking import FORKING
from tests.store.making import (
    HOUR,
    MINUTE,
    NOW,
    answer,
    import_pictures,
    new_project,
    new_round,
    open_round,
)
from tests.store.processes import claim_everything


def claim(store: Store, annotator: str, limit: int, at=NOW, lasts=MINUTE):
    with store.write() as writer:
        return writer.rounds.claim(1, annotator, limit, at, at + lasts)


def test_a_round_comes_back_as_it_was_published(store: Store) -> None:
    items = [NewItem(5, 0.25, Suggestion(2, 0.75)), NewItem(2, None, None)]
    with store.write() as writer:
        opened = writer.rounds.open(replace(new_round([]), items=items), NOW)
        assert writer.rounds.current() == opened == writer.rounds.get(opened.id)
        assert (opened.number, opened.batch_size, opened.state) == (1, 2, RoundState.OPEN)
        assert (opened.settings, opened.seconds, opened.seed) == ({"draws": 8}, 0.5, 3)
        stored = writer.rounds.items(opened.id)
    assert [(i.image_id, i.position, i.score, i.suggestion) for i in stored] == [
        (5, 0, 0.25, Suggestion(2, 0.75)),
        (2, 1, None, None),
    ]
    assert all(i.lease is None and i.label is None for i in stored)
    with store.read() as reader:
        assert [reader.rounds.item(i.id) for i in stored] == stored
        assert reader.rounds.item(99) is None
        with pytest.raises(NotInProject, match="round 99"):
            reader.rounds.get(99)


def test_only_one_round_is_open_and_numbers_go_up(store: Store) -> None:
    first = open_round(store, [1, 2])
    with store.write() as writer:
        item = writer.rounds.items(first.id)[0]
        writer.labels.add(answer("e", 1, item_id=item.id), NOW)
    with pytest.raises(RoundStillOpen, match="Round 1 is still open with 1 unanswered"):
        open_round(store, [3])
    with store.write() as writer:
        closed = writer.rounds.close(first.id, NOW + MINUTE)
        assert (closed.state, closed.closed_at) == (RoundState.CLOSED, NOW + MINUTE)
        assert writer.rounds.close(first.id, NOW + HOUR) == closed  # closing again changes nothing
        assert writer.rounds.current() is None
    second = open_round(store, [1])
    assert second.number == 2
    with store.read() as reader:
        assert reader.rounds.all() == [closed, second]


def test_a_score_that_is_no_number_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not a number"), store.write() as writer:
        writer.rounds.open(replace(new_round([]), items=[NewItem(1, float("nan"), None)]), NOW)
    with store.read() as reader:
        assert reader.rounds.all() == []


def test_items_are_leased_in_order_and_each_to_one_annotator(store: Store) -> None:
    open_round(store, [6, 5, 4, 3])
    ann, bob, eve = claim(store, "ann", 2), claim(store, "bob", 1), claim(store, "eve", 9)
    assert [[i.image_id for i in held] for held in (ann, bob, eve)] == [[6, 5], [4], [3]]
    assert claim(store, "joe", 9) == []
    leases = [i.lease for i in (*ann, *bob, *eve)]
    assert len({lease.token for lease in leases if lease}) == 4
    assert {lease.until for lease in leases if lease} == {NOW + MINUTE}
    with store.read() as reader:
        assert [i.leases for i in reader.rounds.items(1)] == [(lease,) for lease in leases]


def test_asking_again_gives_the_same_items_with_the_same_tokens_and_the_later_end(
    store: Store,
) -> None:
    open_round(store, [1, 2, 3])
    held = claim(store, "ann", 2)
    again = claim(store, "ann", 2, at=NOW + MINUTE / 2)
    assert [i.id for i in again] == [i.id for i in held]
    for old, new in zip(held, again, strict=True):
        assert old.lease is not None
        since, until = NOW + MINUTE / 2, NOW + 1.5 * MINUTE
        assert new.lease == replace(old.lease, since=since, until=until)
    shorter = claim(store, "ann", 2, at=NOW + MINUTE / 2, lasts=MINUTE / 4)
    assert [i.lease for i in shorter] == [i.lease for i in again]


def test_a_claim_gives_held_items_before_free_ones(store: Store) -> None:
    """Else someone who asks again would hold ever more."""
    open_round(store, [1, 2, 3])
    claim(store, "bob", 1, lasts=MINUTE / 2)
    claim(store, "ann", 1)
    later = claim(store, "ann", 1, at=NOW + 0.75 * MINUTE)  # bob's item, the first, is free again
    assert [i.image_id for i in later] == [2]
    assert [i.image_id for i in claim(store, "ann", 2, at=NOW + 0.75 * MINUTE)] == [1, 2]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_claim_of_no_items_gives_none(store: Store, limit: int) -> None:
    open_round(store, [1])
    assert claim(store, "ann", limit) == []


def test_answered_items_are_not_leased_until_the_answer_is_taken_back(store: Store) -> None:
    open_round(store, [1, 2])
    first = claim(store, "ann", 1)[0]
    with store.write() as writer:
        label = writer.labels.add(answer("e", 1, item_id=first.id), NOW)
        stored = writer.rounds.item(first.id)
        assert stored is not None
        assert stored.label == label
    assert [i.image_id for i in claim(store, "ann", 5)] == [2]
    with store.write() as writer:
        writer.labels.retract(label.id, "u", "ann", NOW)
    assert [i.image_id for i in claim(store, "ann", 5)] == [1, 2]


def test_items_of_a_closed_round_are_not_leased(store: Store) -> None:
    open_round(store, [1])
    with store.write() as writer:
        writer.rounds.close(1, NOW)
    assert claim(store, "ann", 1) == []


def test_an_expired_lease_is_renewed_with_a_new_token(store: Store) -> None:
    open_round(store, [1])
    old = claim(store, "ann", 1)[0].lease
    assert claim(store, "bob", 1, at=NOW + MINUTE - timedelta(microseconds=1)) == []
    new = claim(store, "bob", 1, at=NOW + MINUTE)[0].lease
    assert old is not None
    assert new is not None
    assert (new.annotator, new.until) == ("bob", NOW + 2 * MINUTE)
    assert new.token != old.token
    assert claim(store, "ann", 1, at=NOW + MINUTE) == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR, MINUTE / 2, -MINUTE / 2], ids=str)
def test_no_item_stays_leased_after_the_clock_jumps(store: Store, jump: timedelta) -> None:
    """The holder is gone; on the new clock the item is free within two lengths of the lease."""
    open_round(store, [1])
    claim(store, "ann", 1)
    assert claim(store, "bob", 1, at=NOW + jump + 2 * MINUTE)


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=str)
def test_an_annotator_who_claims_again_keeps_the_item_after_a_jump(
    store: Store, jump: timedelta
) -> None:
    open_round(store, [1])
    before = claim(store, "ann", 1)[0].lease
    after = claim(store, "ann", 1, at=NOW + jump)[0].lease
    assert before is not None
    assert after == replace(before, since=NOW + jump, until=NOW + jump + MINUTE)


def test_a_lease_survives_a_small_step_back_of_the_clock(store: Store) -> None:
    open_round(store, [1])
    claim(store, "ann", 1)
    assert claim(store, "bob", 1, at=NOW - MINUTE / 2) == []


def test_a_lease_must_have_a_length(store: Store) -> None:
    open_round(store, [1])
    with pytest.raises(ValueError, match="must end after it begins"):
        claim(store, "ann", 1, lasts=timedelta(0))


def test_threads_never_hold_one_item_together(store: Store) -> None:
    import_pictures(store, 60)
    open_round(store, list(range(1, 61)))
    held: dict[str, list[int]] = {f"annotator {n}": [] for n in range(6)}

    def ask(name: str) -> None:
        for limit in range(2, 40, 2):
            items = claim(store, name, limit)
            if len(items) == len(held[name]):
                return
            held[name] = [i.id for i in items]

    threads = [threading.Thread(target=ask, args=(name,)) for name in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    given = [i for ids in held.values() for i in ids]
    assert sorted(given) == list(range(1, 61))


def test_processes_never_hold_one_item_together(path: Path) -> None:
    new_project(path, images=100).close()
    with closing(open_store(path)) as store:
        open_round(store, list(range(1, 101)))
    ends = []
    for n in range(4):
        mine, theirs = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=claim_everything, args=(path, f"annotator {n}", theirs))
        process.start()
        theirs.close()
        ends.append((process, mine))
    given = [item for _, mine in ends for item in mine.recv()]
    for process, mine in ends:
        process.join(30)
        mine.close()
        assert process.exitcode == 0
        process.close()
    assert sorted(given) == list(range(1, 101))
