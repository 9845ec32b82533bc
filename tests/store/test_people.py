"""Laws of people in the store: names are unique, sign-ins end, and two tabs never hold one item."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import PersonExists
from alworkbench.core.ports import Store
from tests.store.making import HOUR, MINUTE, NOW, open_round

TOKEN, OTHER = "a" * 64, "b" * 64


def add(store: Store, name: str, role: PersonRole = PersonRole.ANNOTATOR):
    with store.write() as writer:
        return writer.people.add(name, role, None, NOW)


def people(store: Store):
    with store.read() as reader:
        return reader.people.all()


@pytest.mark.parametrize("twin", ["Ada", "ada", " ADA ", "A\u0301da"])
def test_names_that_differ_only_in_case_or_blanks_are_one_person(store: Store, twin: str) -> None:
    known = add(store, "\u00c1da" if twin.startswith("A\u0301") else "Ada")
    with pytest.raises(PersonExists, match="Nothing was changed"):
        add(store, twin)
    assert people(store) == [known]
    with store.read() as reader:
        assert reader.people.by_name(twin) == known
        assert reader.people.by_name("Bob") is None


def test_role_activity_and_password_change_alone(store: Store) -> None:
    person = add(store, "Ada")
    with store.write() as writer:
        writer.people.set_role(person.id, PersonRole.REVIEWER)
        writer.people.set_active(person.id, False)
        writer.people.set_password(person.id, "hash")
        assert writer.people.password_hash(person.id) == "hash"
    (changed,) = people(store)
    assert (changed.role, changed.active, changed.has_password) == ("reviewer", False, True)
    assert (changed.id, changed.name, changed.created_at) == (person.id, "Ada", NOW)


def test_a_sign_in_is_found_by_its_hash_and_ends_once(store: Store) -> None:
    person = add(store, "Ada")
    with store.write() as writer:
        writer.people.sign_in(person.id, TOKEN, NOW, NOW + HOUR)
        writer.people.sign_in(person.id, OTHER, NOW, NOW + HOUR)
        writer.people.seen(TOKEN, NOW + MINUTE)
        found = writer.people.signed_in(TOKEN)
        assert found is not None
        assert (found.person, found.expires_at, found.last_seen_at, found.revoked_at) == (
            person, NOW + HOUR, NOW + MINUTE, None,
        )  # fmt: skip
        writer.people.sign_out(TOKEN, NOW + 2 * MINUTE)
        writer.people.sign_out_everywhere(person.id, NOW + 3 * MINUTE)
        ended = [writer.people.signed_in(each) for each in (TOKEN, OTHER)]
        assert [e and e.revoked_at for e in ended] == [NOW + 2 * MINUTE, NOW + 3 * MINUTE]
        assert writer.people.signed_in("c" * 64) is None


def claim(store: Store, tab: str | None, limit: int = 6, after=timedelta(0), who: str = "ada"):
    now = NOW + after
    with store.write() as writer:
        claimed = writer.rounds.claim(
            1, who, limit, now, now + HOUR, tab=tab, left_before=now - MINUTE
        )
    return [item.image_id for item in claimed]


def test_two_tabs_of_one_person_never_hold_one_item(store: Store) -> None:
    open_round(store, [1, 2, 3, 4, 5])
    assert claim(store, "one", 2) == [1, 2]
    assert claim(store, "two", 2) == [3, 4]
    assert claim(store, "one", 2) == [1, 2]
    assert claim(store, "two") == [3, 4, 5]
    assert claim(store, None) == []


def test_a_tab_that_was_left_gives_its_items_to_the_same_person_only(store: Store) -> None:
    open_round(store, [1, 2, 3])
    assert claim(store, "left", 2) == [1, 2]
    assert claim(store, "new", after=MINUTE / 2) == [3]
    assert claim(store, "bobs", after=2 * MINUTE, who="bob") == []
    assert claim(store, "new", after=2 * MINUTE) == [1, 2, 3]
    assert claim(store, "left", after=2 * MINUTE) == []


def test_released_items_are_free_at_once_and_only_the_own_ones(store: Store) -> None:
    open_round(store, [1, 2, 3, 4])
    claim(store, "one", 2)
    claim(store, "two", 2)
    with store.write() as writer:
        ids = {item.image_id: item.id for item in writer.rounds.items(1)}
        writer.rounds.release("ada", "one", [ids[2], ids[3]])
        writer.rounds.release("bob", "one", [ids[1]])
    assert claim(store, "bobs", who="bob") == [2]
