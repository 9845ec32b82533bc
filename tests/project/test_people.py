"""Laws of people: a password is needed and enough, and what is taken away counts at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import (
    InvalidPersonName,
    LastManager,
    PersonExists,
    SignInRefused,
    TooManyAttempts,
    UnknownPerson,
    WeakPassword,
)
from alworkbench.project.attempts import MOST_KEYS, MOST_OF_A_NAME, MOST_OF_AN_ADDRESS, Attempts
from alworkbench.project.people import SIGNED_IN, token_hash
from alworkbench.project.workbench import Workbench
from tests.making_project import Project

PASSWORD = "four quiet words here"


def test_roles_are_in_order() -> None:
    order = list(PersonRole)
    for held, one in enumerate(order):
        assert [one.includes(other) for other in order] == [n <= held for n in range(len(order))]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\ud800", "x" * 81])
def test_a_name_that_cannot_be_shown_is_refused(workbench: Workbench, name: str) -> None:
    with pytest.raises(InvalidPersonName, match="Nothing was changed"):
        workbench.people.add(name, PersonRole.MANAGER)
    assert workbench.people.all() == []


def test_blanks_of_a_name_are_tidied_and_twins_refused(workbench: Workbench) -> None:
    assert workbench.people.add("  Ada   Lovelace ", PersonRole.MANAGER).name == "Ada Lovelace"
    with pytest.raises(PersonExists):
        workbench.people.add("ada lovelace", PersonRole.ANNOTATOR)
    with pytest.raises(UnknownPerson, match="Did you mean 'Ada Lovelace'"):
        workbench.people.get("Ada Lovelase")


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_a_weak_password_changes_nothing(workbench: Workbench, password: str) -> None:
    with pytest.raises(WeakPassword, match="Nothing was changed"):
        workbench.people.add("Ada", PersonRole.MANAGER, password)
    assert workbench.people.all() == []


def test_the_right_password_opens_a_sign_in_that_expires(
    workbench: Workbench, project: Project
) -> None:
    ada = workbench.people.add("Ada", PersonRole.REVIEWER, PASSWORD)
    token = workbench.people.sign_in("ADA", PASSWORD)
    assert workbench.people.who(token) == ada
    project.clock.tick(seconds=SIGNED_IN.total_seconds() - 1)
    assert workbench.people.who(token) == ada
    project.clock.tick(seconds=1)
    assert workbench.people.who(token) is None


def test_the_store_holds_neither_password_nor_token(workbench: Workbench, project: Project) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    token = workbench.people.sign_in("Ada", PASSWORD)
    written = b"".join(p.read_bytes() for p in project.folder.glob("project.db*"))
    assert b"$argon2id$" in written
    assert token_hash(token).encode() in written
    assert PASSWORD.encode() not in written
    assert token.encode() not in written


def test_a_password_typed_in_another_composition_fits(workbench: Workbench) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER, "caf\u00e9 caf\u00e9 caf\u00e9")
    assert workbench.people.sign_in("Ada", "cafe\u0301 cafe\u0301 cafe\u0301")


def test_a_refusal_does_not_say_what_is_wrong(workbench: Workbench) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    workbench.people.add("Bob", PersonRole.ANNOTATOR)
    workbench.people.add("Cy", PersonRole.ANNOTATOR, PASSWORD)
    workbench.people.disable("Cy")
    said = set()
    for name, password in (
        ("Ada", "wrong"), ("Nobody", PASSWORD), ("Bob", ""), ("Cy", PASSWORD), ("\ud800", "x"),
    ):  # fmt: skip
        with pytest.raises(SignInRefused) as refused:
            workbench.people.sign_in(name, password)
        said.add(str(refused.value))
    assert len(said) == 1


def test_disabling_and_a_new_password_end_every_sign_in_at_once(workbench: Workbench) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    workbench.people.add("Bob", PersonRole.ANNOTATOR, PASSWORD)
    adas = workbench.people.sign_in("Ada", PASSWORD)
    for end in (
        lambda: workbench.people.disable("Bob"),
        lambda: workbench.people.set_password("Bob", PASSWORD + " again"),
    ):
        before = [workbench.people.let_in("Bob") for _ in range(2)]
        end()
        workbench.people.enable("Bob")
        assert [workbench.people.who(token) for token in before] == [None, None]
    assert workbench.people.who(adas) is not None
    workbench.people.disable("Bob")
    with pytest.raises(SignInRefused):
        workbench.people.let_in("Bob")


def test_a_new_role_counts_for_an_open_sign_in_and_signing_out_ends_one(
    workbench: Workbench,
) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER)
    workbench.people.add("Bob", PersonRole.ANNOTATOR)
    one, other = workbench.people.let_in("Bob"), workbench.people.let_in("Bob")
    workbench.people.change_role("Bob", PersonRole.REVIEWER)
    found = workbench.people.who(one)
    assert found is not None
    assert found.role is PersonRole.REVIEWER
    workbench.people.sign_out(one)
    assert workbench.people.who(one) is None
    assert workbench.people.who(other) is not None


@pytest.mark.parametrize("token", ["", "x", "\ud800", "a" * 64, token_hash("x")])
def test_a_made_up_token_is_nobody(workbench: Workbench, token: str) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER)
    workbench.people.let_in("Ada")
    assert workbench.people.who(token) is None


def test_the_last_active_manager_stays_unless_forced(workbench: Workbench) -> None:
    people = workbench.people
    people.add("Ada", PersonRole.MANAGER)
    people.add("Bob", PersonRole.MANAGER)
    people.disable("Bob")
    for change in (
        lambda **more: people.disable("Ada", **more),
        lambda **more: people.change_role("Ada", PersonRole.ANNOTATOR, **more),
    ):
        with pytest.raises(LastManager, match="Nothing was changed"):
            change()
    assert people.get("Ada").active
    people.enable("Bob")
    assert people.change_role("Ada", PersonRole.REVIEWER).role is PersonRole.REVIEWER
    assert not people.disable("Bob", force=True).active


def test_too_many_failures_of_a_name_stop_the_right_password_for_a_while(
    workbench: Workbench, project: Project
) -> None:
    workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    for _ in range(MOST_OF_A_NAME):
        with pytest.raises(SignInRefused):
            workbench.people.sign_in("ada", "", "10.0.0.1")
    with pytest.raises(TooManyAttempts, match="Wait 15 minutes") as refused:
        workbench.people.sign_in("Ada", PASSWORD, "10.0.0.2")
    project.clock.tick(seconds=refused.value.seconds)
    assert workbench.people.sign_in("Ada", PASSWORD, "10.0.0.2")


def test_failures_of_an_address_count_over_all_names(project: Project) -> None:
    attempts, now = Attempts(), project.clock()
    for n in range(MOST_OF_AN_ADDRESS):
        assert attempts.enter(f"name {n}", "10.0.0.1", now) == timedelta(0)
    assert attempts.enter("another", "10.0.0.1", now) > timedelta(0)
    assert attempts.enter("another", "10.0.0.2", now) == timedelta(0)
    assert attempts.enter("another", "10.0.0.1", now + timedelta(hours=1)) == timedelta(0)


def test_successes_are_no_failures_and_a_clock_set_back_locks_nobody_out(project: Project) -> None:
    attempts, now = Attempts(), project.clock()
    for _ in range(3 * MOST_OF_AN_ADDRESS):
        assert attempts.enter("ada", "10.0.0.1", now) == timedelta(0)
        attempts.succeeded("ada", "10.0.0.1", now)
    for _ in range(MOST_OF_A_NAME):
        attempts.enter("ada", "", now)
    assert attempts.enter("ada", "", now) > timedelta(0)
    assert attempts.enter("ada", "", now - timedelta(hours=1)) == timedelta(0)


def test_remembered_failures_are_bounded(project: Project) -> None:
    attempts, now = Attempts(), project.clock()
    for n in range(MOST_KEYS + 100):
        attempts.enter(f"name {n}", "", now)
    assert len(attempts._failures) == MOST_KEYS
