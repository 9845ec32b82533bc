"""Home: every project that a person may enter, what waits there, and a new project as `init` makes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from alworkbench.api import create_project, create_project_in, open_project
from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import InvalidProjectName
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.site import kept_site
from tests.ui.test_jobs import CLOSE, SECONDS, until
from tests.ui.test_pages import SCRIPT, answer_all, html, texts
from tests.ui.test_projects import Office, home
from ui import state as ui_state
from ui.door.visitor import PERSON_HEADER
from ui.projects import Projects
from ui.state import PREFIX, UiState
from ui.views.new_project import make_project

__all__ = ["home", "kept_site"]

PASSWORD = "four quiet words here"


@pytest.fixture
def projects(home: Path) -> Iterator[Projects]:
    """The installed projects `birds` and `coins`; what was installed before is put back."""
    before = ui_state._projects
    made = Projects(lambda folder: open_project(folder), home=home)
    ui_state.install(made)
    yield made
    made.close()
    ui_state._projects = before


@pytest.fixture
def says(page_headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the guard says to a page; nothing unless a test sets it."""
    monkeypatch.setattr(ContextProxy, "headers", property(lambda _: dict(page_headers)))
    return page_headers


def entry(projects: Projects, key: str, name: str) -> str:
    found = projects.get(key)
    assert found is not None
    return f"{found.state().workbench.people.get(name).id} {found.state().proof}"


def draw(**query: str) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def test_a_person_sees_the_projects_where_they_are_signed_in(
    projects: Projects, says: dict[str, str]
) -> None:
    assert "not signed in" in texts(draw())
    said = [entry(projects, "birds", "annotator"), entry(projects, "coins", "manager")]
    says[PERSON_HEADER] = ",".join(said)
    shown = texts(draw())
    assert all(f"/?p={key}" in shown for key in ("birds", "coins"))
    says[PERSON_HEADER] = said[1]
    assert "/?p=birds" not in texts(draw(p="coins"))
    # In the only project that somebody may enter, the address without a path leads to its first page.
    assert "Signed in as manager (manager)" in texts(draw())
    # A project that the address names and where nobody is signed in is not shown.
    assert "not signed in" in texts(draw(p="birds"))


def test_a_project_that_cannot_be_opened_is_named_to_managers_alone(
    projects: Projects, says: dict[str, str], home: Path
) -> None:
    (home / "dust").mkdir()
    (home / "dust" / "project.db").write_bytes(b"no database" * 1000)
    for role in PersonRole:
        names = [entry(projects, key, role.value) for key in ("birds", "coins")]
        says[PERSON_HEADER] = ",".join(names)
        app = draw()
        assert not app.exception
        found = [each for each in app.warning if "cannot be read" in each.value]
        assert len(found) == (role is PersonRole.MANAGER)
        assert ("new-project" in {each.key for each in app.button}) == (role is PersonRole.MANAGER)


def test_a_guest_is_told_which_projects_have_passwords_and_how_to_open_them(
    projects: Projects, says: dict[str, str]
) -> None:
    def home_page() -> str:
        def script() -> None:
            from ui.projects import served
            from ui.views.here import here
            from ui.views.home import draw_home

            draw_home(served(), here(served()))

        app = AppTest.from_function(script, default_timeout=30).run()
        assert not app.exception
        return texts(app)

    says[PERSON_HEADER] = f"Zoe {projects.proof}"
    assert "not shown above" not in home_page()
    (coins,) = [each for each in projects.all() if each.key == "coins"]
    coins.state().workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    shown = home_page()
    assert "1 project is not shown above, because people have passwords there" in shown
    assert f'href="{PREFIX}/door?next=/%3Fp%3Dcoins"' in shown
    # Whoever is signed in elsewhere learns nothing of projects without them.
    says[PERSON_HEADER] = entry(projects, "birds", "manager")
    assert "not shown above" not in home_page()
    # Signed in to it, the guest sees it as the others.
    both = [f"Zoe {projects.proof}", entry(projects, "coins", "Ada")]
    says[PERSON_HEADER] = ",".join(both)
    assert "not shown above" not in home_page()


def test_names_on_home_are_shown_as_they_are_and_drawing_writes_nothing(
    projects: Projects, says: dict[str, str], home: Path
) -> None:
    names = ["<img src=x>", "![x](http://h/p.png)", "\u05d2\u05df"]
    for key, name in enumerate(names):
        create_project(home / f"p{key}", ["a", "b"], name=name)
        with open_project(home / f"p{key}") as workbench:
            workbench.people.add("manager", PersonRole.MANAGER)
    projects.look_again()
    keys = [each.key for each in projects.all()]
    says[PERSON_HEADER] = ",".join(entry(projects, key, "manager") for key in keys)
    before = {path: path.read_bytes() for path in home.glob("*/project.db*")}
    shown = html(draw())
    assert "<img" not in shown
    for name in names:
        assert f"<bdi>{escape(name)}</bdi>" in shown
    assert {path: path.read_bytes() for path in home.glob("*/project.db*")} == before


# ------------------------------------------------------------------------------------------ a new project
def made_by(projects: Projects, says: dict[str, str], name: str, classes: str) -> str:
    """The address to which the form leads."""

    def script(name: str, classes: str) -> None:
        import streamlit as st

        from ui.projects import served
        from ui.views.new_project import make_project

        manages = [each for each in served().all() if each.opened is not None]
        st.session_state["led"] = make_project(served(), manages, name, classes, "bundled")

    app = AppTest.from_function(script, default_timeout=30, args=(name, classes)).run()
    if app.exception:
        raise AssertionError(app.exception[0].message)
    return str(app.session_state["led"])


def test_a_new_project_is_that_of_init_and_its_maker_is_its_manager(
    projects: Projects, says: dict[str, str], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (birds,) = [each for each in projects.all() if each.key == "birds"]
    people = birds.state().workbench.people
    people.add("Ada", PersonRole.MANAGER, PASSWORD)
    says[PERSON_HEADER] = entry(projects, "birds", "Ada")
    led = made_by(projects, says, "moths", "# a comment\nhawk moth\n\n silk moth \n")
    assert led == "/import?p=moths"
    elsewhere = tmp_path_factory.mktemp("init") / "moths"
    settings, names = create_project(elsewhere, ["hawk moth", "silk moth"])
    (new,) = [each for each in projects.all() if each.key == "moths"]
    made = new.state().workbench
    assert made.session.settings() == settings
    with open_project(elsewhere) as plain:
        assert [c.name for c in made.classes.current().classes] == names
        assert made.classes.current().names == plain.classes.current().names
        assert plain.people.all() == []
    (person,) = made.people.all()
    assert (person.name, person.role, person.has_password) == ("Ada", PersonRole.MANAGER, True)
    assert made.people.sign_in("Ada", PASSWORD)
    assert not new.takes_guests()
    assert not [each for each in home.iterdir() if each.name.startswith(".")]

    # The browser of the maker is let in at its first page; any other browser is asked to sign in.
    office = Office(projects)
    office.sign_in_to("birds", "manager")
    assert office.page(led).headers["location"].startswith("/alw/door?next=")
    office.sign_in_to("birds", "Ada")
    assert office.page(led).headers["location"] == led
    assert office.call("/alw/p/moths/answered").status_code == 200


@pytest.mark.parametrize(
    ("name", "classes", "why"),
    [
        ("", "a\nb", "is empty"),
        (" ./ ", "a\nb", "is empty"),
        ("Birds", "a\nb", "is taken"),
        ("x" * 61, "a\nb", "61 characters"),
        ("a\x07b", "a\nb", "control character"),
        ("nul", "a\nb", "devices"),
        ("moths", "owl\nOwl", "differ only"),
        ("moths", "", "class"),
    ],
)
def test_a_project_that_cannot_be_made_is_said_and_leaves_nothing(
    projects: Projects, says: dict[str, str], home: Path, name: str, classes: str, why: str
) -> None:
    says[PERSON_HEADER] = entry(projects, "birds", "manager")
    before = sorted(home.iterdir())
    with pytest.raises(AssertionError, match=why):
        made_by(projects, says, name, classes)
    assert sorted(home.iterdir()) == before


def test_of_people_who_give_one_name_at_the_same_time_one_makes_the_project(home: Path) -> None:
    def make(number: int) -> str:
        begin.wait(SECONDS)
        try:
            return create_project_in(home, "Moths", [f"a{number}", "b"]).name
        except InvalidProjectName as refused:
            return str(refused)

    begin = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(make, range(3)))
    assert said.count("Moths") == 1
    assert sum("is taken" in each for each in said) == 2
    with open_project(home / "Moths") as workbench:
        assert workbench.classes.current().names == (f"a{said.index('Moths')}", "b")
    assert sorted(each.name for each in home.iterdir()) == ["Moths", "birds", "coins"]


@pytest.mark.parametrize("role", [PersonRole.ANNOTATOR, PersonRole.REVIEWER])
def test_only_managers_make_projects(
    projects: Projects, says: dict[str, str], role: PersonRole, home: Path
) -> None:
    says[PERSON_HEADER] = entry(projects, "birds", role.value)
    with pytest.raises(AssertionError, match="Only a manager"):
        made_by(projects, says, "moths", "a\nb")
    assert not (home / "moths").exists()


def test_a_server_without_a_home_makes_no_project(
    tmp_path: Path, says: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    projects = Projects.of(UiState(FakeWorkbench(tmp_path / "a")))
    monkeypatch.setattr("ui.views.new_project.guest_here", lambda _: "Zoe")
    with pytest.raises(Exception, match="--home"):
        make_project(projects, [], "moths", "a\nb", "bundled")


# ------------------------------------------------------------------------------------------------- jobs
def test_jobs_of_two_projects_run_beside_each_other_and_end_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = [FakeWorkbench(tmp_path / key) for key in ("a", "b")]
    may_end, running = threading.Event(), []
    for fake in fakes:
        fake.rounds.propose()
        answer_all(fake)

        def close(_progress: object, force: bool, fake: FakeWorkbench = fake) -> None:
            running.append(fake)
            may_end.wait(SECONDS)

        monkeypatch.setattr(fake.rounds, "close", close)
    projects = Projects.of(*(UiState(fake) for fake in fakes))
    projects.start()
    states = [each.state() for each in projects.all()]
    for state in states:
        assert state.jobs.start(*CLOSE)
    until(lambda: len(running) == 2)  # neither waits for the other
    assert [len(fake.jobs.live()) for fake in fakes] == [1, 1]
    may_end.set()
    projects.stop(SECONDS)
    assert [fake.jobs.live() for fake in fakes] == [[], []]
    assert not any(state.jobs.start(*CLOSE) for state in states)
    assert not [each for each in threading.enumerate() if each.name.startswith("jobs")]
