"""Who sees which page, and the page of people: the role is that of the store at each drawing."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import LastManager
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import SCRIPT, answer_all, draw, texts
from ui.door.visitor import PERSON_HEADER
from ui.pages import PAGES, Section, first_page, pages_of
from ui.state import UiState

MANAGERS_ONLY = tuple(each.url for each in PAGES if each.needed is PersonRole.MANAGER)


def visit(state: UiState, headers: dict[str, str], role: PersonRole) -> int:
    """Let a new person with this role look at the pages; the id of the person."""
    person = state.workbench.people.add(f"a {role.value}", role)
    headers[PERSON_HEADER] = f"{person.id} {state.proof}"
    return person.id


def draw_guarded(page: str) -> AppTest:
    """A page as the script draws it, with its check of the role."""

    def script(page: str) -> None:
        from ui.pages import PAGES
        from ui.state import current
        from ui.views.trouble import draw_calmly

        (entry,) = (each for each in PAGES if each.url == page)
        draw_calmly(entry.render, current(), lambda name: None, entry.needed)

    return AppTest.from_function(script, default_timeout=20, args=(page,)).run()


@pytest.mark.parametrize("role", list(PersonRole))
def test_only_managers_see_and_draw_the_pages_of_managers(
    state: UiState, page_headers: dict[str, str], role: PersonRole
) -> None:
    visit(state, page_headers, role)
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    assert not app.exception
    assert f"Signed in as a {role.value} ({role.value})" in texts(app)
    manages = role is PersonRole.MANAGER
    assert ("Fashion sample" in texts(app)) == manages
    refused = [e.value for e in draw_guarded("review").error]
    assert ("Only a reviewer sees this page." in refused) == (role is PersonRole.ANNOTATOR)
    for page in MANAGERS_ONLY:
        drawn = draw_guarded(page)
        assert ("Only a manager sees this page." in [e.value for e in drawn.error]) != manages


@pytest.mark.parametrize("role", list(PersonRole))
def test_the_navigation_lists_what_the_role_may_see_in_the_order_of_sections(
    state: UiState, role: PersonRole
) -> None:
    listed = pages_of(state.workbench.people.add("new", role))
    assert [each for each in PAGES if role.includes(each.needed)] == listed
    assert first_page(state.workbench.people.named("new")) in listed
    sections = list(dict.fromkeys(each.section for each in PAGES))
    assert sections == [each for each in Section if each in sections]
    assert len({each.url for each in PAGES}) == len(PAGES)


@pytest.mark.parametrize("given", ["", "1", "1 wrong", "9 {proof}", "x {proof}", "{proof}"])
def test_a_page_shows_nothing_to_somebody_whom_the_guard_did_not_name(
    state: UiState, page_headers: dict[str, str], given: str
) -> None:
    page_headers[PERSON_HEADER] = given.replace("{proof}", state.proof)
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    assert not app.exception
    assert "not signed in" in texts(app)
    assert "Fashion sample" not in texts(app)
    for page in (each.url for each in (PAGES if given == "" else PAGES[:1])):
        assert len(draw_guarded(page).error) == 1


def test_a_person_who_loses_the_role_or_is_disabled_sees_no_more(
    state: UiState, page_headers: dict[str, str]
) -> None:
    visit(state, page_headers, PersonRole.MANAGER)
    assert not draw_guarded("project").error
    state.workbench.people.change("a manager", role=PersonRole.ANNOTATOR)
    assert draw_guarded("project").error
    state.workbench.people.change("a manager", role=PersonRole.MANAGER, active=False)
    assert draw_guarded("project").error


@pytest.mark.parametrize("role", list(PersonRole))
def test_rounds_are_closed_and_opened_by_managers(
    state: UiState, workbench: FakeWorkbench, page_headers: dict[str, str], role: PersonRole
) -> None:
    visit(state, page_headers, role)
    manages = role is PersonRole.MANAGER

    def keys() -> set[Any]:
        return {button.key for button in draw("label").button}

    assert ("close-early" in keys()) == manages
    answer_all(workbench)
    assert ("close-round" in keys()) == manages
    workbench.rounds.close()
    assert ("start-round" in keys()) == manages
    assert ("A manager opens the next round" in texts(draw("label"))) != manages


def test_people_are_added_and_changed_on_their_page(state: UiState) -> None:
    people = state.workbench.people
    app = draw("people")
    app.text_input(key="new-name").input("Bo <b>")
    app.selectbox(key="new-role").select(PersonRole.REVIEWER)
    app.text_input(key="new-password").input("four quiet words")
    app.button(key="FormSubmitter:add-person-Add").click().run()
    assert (people.named("Bo <b>").role, people.named("Bo <b>").has_password) == ("reviewer", True)
    assert "Added Bo \\<b\\>" in "".join(each.value for each in app.success)
    assert "No manager has a password" in "".join(each.value for each in app.warning)
    app.selectbox(key="person").select("Bo <b>").run()
    app.selectbox(key="role-2").select(PersonRole.MANAGER).run()
    app.button(key="change-role").click().run()
    assert people.named("Bo <b>").role is PersonRole.MANAGER
    assert not app.warning
    app.button(key="disable").click().run()
    assert people.named("Bo <b>") is None
    app.button(key="enable").click().run()
    assert people.named("Bo <b>") is not None


def test_a_refused_change_is_said_on_the_page(
    state: UiState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise LastManager(name)

    monkeypatch.setattr(state.workbench.people, "disable", refuse, raising=False)
    app = draw("people")
    app.button(key="disable").click().run()
    assert "last active manager" in app.error[0].value
    assert not app.success


def test_a_person_without_a_typed_password_gets_one_that_is_shown_once(state: UiState) -> None:
    people = state.workbench.people
    app = draw("people")
    app.text_input(key="new-name").input("Bo <b>")
    app.button(key="FormSubmitter:add-person-Add").click().run()
    (first,) = [each.value for each in app.code]
    assert people.passwords["Bo <b>"] == first
    assert "Bo \\<b\\>" in texts(app)
    app.run()
    assert not app.code
    app.selectbox(key="person").select("Bo <b>").run()
    app.button(key="FormSubmitter:new-password-of-person-Set the password").click().run()
    (second,) = [each.value for each in app.code]
    assert people.passwords["Bo <b>"] == second != first
