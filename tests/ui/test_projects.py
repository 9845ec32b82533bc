"""Several projects in one server: each request means one project, and nothing of one opens another."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette

from alworkbench.api import open_project
from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import InvalidServing, PortInUse, ProjectMissing
from tests.ui.event_loop import run
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.site import BASE, HERE, kept_site, own, path_of
from tests.ui.test_routes import TAB, answer_to
from ui.door.addresses import addresses_of
from ui.door.entrance import Entrance
from ui.door.guard import Guard
from ui.door.proxies import Proxies, proxies_of
from ui.door.settings import Door
from ui.projects import Projects
from ui.routes import make_routes, our_routes
from ui.serve import entrance_of, projects_of, say_left_out, serve
from ui.state import OF_PROJECTS, PREFIX, UiState, browser_key_of, key_of
from ui.views.here import open_to_guests

__all__ = ["kept_site"]

PASSWORD = "four quiet words here"
FORM = {"Origin": BASE, "Content-Type": "application/x-www-form-urlencoded"}
PAGE = {"Accept": "text/html"}


@dataclass
class Office:
    """A server of several projects, and one browser with its cookies."""

    projects: Projects
    entrance: Entrance = field(default_factory=lambda: Entrance(None))
    proxies: Proxies = field(default_factory=Proxies)
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.door = Door(
            self.projects,
            addresses_of("127.0.0.1", 8501, ()),
            entrance=self.entrance,
            proxies=self.proxies,
        )
        self.app = Guard(Starlette(routes=make_routes(self.door)), self.door)

    def people(self, key: str) -> Any:
        found = self.projects.get(key)
        assert found is not None
        return found.state().workbench.people

    def sign_in_to(self, key: str, name: str) -> None:
        found = self.projects.get(key)
        assert found is not None
        self.cookies[self.door.cookie(found)] = self.people(key).let_in(name)

    def call(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        headers = {"Origin": BASE} | options.pop("headers", {})
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, client=HERE)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
                return await browser.request(method, path, headers=headers, **options)

        reply = run(send())
        for given_ in reply.headers.get_list("set-cookie"):
            name, _, value = given_.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return reply

    def page(self, path: str) -> httpx.Response:
        return self.call(path, headers=PAGE)

    def account(self) -> str:
        return re.sub(r"<[^>]+>", "", self.call(f"{PREFIX}/door/you").text)


@pytest.fixture
def home(kept_site: Path, tmp_path: Path) -> Path:
    """A folder with the projects `birds` and `coins`, each with one person of each role."""
    for name in ("birds", "coins"):
        (tmp_path / name).mkdir()
        shutil.copy(kept_site / "project.db", tmp_path / name / "project.db")
    return tmp_path


@pytest.fixture
def office(home: Path) -> Iterator[Office]:
    made = Office(Projects(lambda folder: open_project(folder), home=home))
    yield made
    made.projects.close()


# ------------------------------------------------------------------------------- one project, one request
def test_no_route_of_a_project_opens_for_a_session_of_another(office: Office) -> None:
    office.sign_in_to("birds", "manager")
    (coins, birds) = (office.projects.get(key) for key in ("coins", "birds"))
    assert coins is not None
    assert birds is not None
    for route in our_routes(coins.state()):
        inside = path_of(route).removeprefix(PREFIX)
        for method in (route.methods or set()) - {"HEAD"}:
            refused = office.call(f"{OF_PROJECTS}/coins{inside}", method)
            assert (refused.status_code, refused.json()["code"]) == (401, "session"), inside
            reply = office.call(f"{OF_PROJECTS}/birds{inside}", method)
            assert reply.status_code not in (401, 403, 405, 500), inside
            unknown = office.call(f"{OF_PROJECTS}/nothing{inside}", method)
            assert (unknown.status_code, unknown.text) == (refused.status_code, refused.text)


def test_a_route_without_a_project_is_none(office: Office) -> None:
    office.sign_in_to("birds", "manager")
    for path in ("/queue", "/images", "/p/birds/", "/p"):
        assert office.call(PREFIX + path, "POST").status_code in (401, 404)


def test_a_page_of_a_project_leads_to_its_door_and_back(office: Office) -> None:
    for key in ("birds", "coins"):
        office.people(key).add("Ada", PersonRole.MANAGER, f"{key} {PASSWORD}")
    office.sign_in_to("birds", "manager")
    led = office.page("/label?p=coins")
    assert led.headers["location"] == f"{PREFIX}/door?next=/label%3Fp%3Dcoins"
    shown = office.call(led.headers["location"])
    assert "not signed in to the project" in shown.text
    form = {"name": "Ada", "password": f"coins {PASSWORD}", "next": "/label?p=coins"}
    entered = office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form)
    assert entered.headers["location"] == "/label?p=coins"
    assert office.call(f"{OF_PROJECTS}/coins/answered").status_code == 200
    said = office.account()
    assert all(each in said for each in ("as manager, manager", "as Ada, manager"))


def test_one_sign_in_opens_every_project_that_knows_the_name(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("birds", "coins"):
        office.people(key).add("Ada", PersonRole.ANNOTATOR, PASSWORD)
    office.people("coins").add("Bo", PersonRole.ANNOTATOR, PASSWORD)
    form = {"name": "Ada", "password": PASSWORD}
    assert office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form).status_code == 303
    for key in ("birds", "coins"):
        assert office.call(f"{OF_PROJECTS}/{key}/answered").status_code == 200
    office.call(f"{PREFIX}/door/out", "POST")
    for key in ("birds", "coins"):
        assert office.call(f"{OF_PROJECTS}/{key}/answered").status_code == 401
    # A name that a project does not know is no failure there: failures would stop the whole address.
    asked: list[str] = []
    monkeypatch.setattr(office.people("birds"), "sign_in", lambda *_: asked.append("birds"))
    form = {"name": "Bo", "password": PASSWORD}
    assert office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form).status_code == 303
    assert office.call(f"{OF_PROJECTS}/coins/answered").status_code == 200
    assert asked == []


def test_a_person_disabled_in_one_project_still_works_in_another(office: Office) -> None:
    for key in ("birds", "coins"):
        office.sign_in_to(key, "annotator")
    office.people("birds").disable("annotator")
    assert office.call(f"{OF_PROJECTS}/birds/answered").status_code == 401
    assert office.call(f"{OF_PROJECTS}/coins/answered").status_code == 200


def test_a_proxy_names_the_person_and_each_project_decides(home: Path) -> None:
    projects = Projects(lambda folder: open_project(folder), home=home)
    office = Office(projects, proxies=proxies_of(["127.0.0.1"], "X-User"))
    office.people("coins").add("Cy", PersonRole.ANNOTATOR)
    for key, status in (("coins", 200), ("birds", 401)):
        reply = office.call(f"{OF_PROJECTS}/{key}/answered", headers={"X-User": "cy"})
        assert reply.status_code == status
    projects.close()


def test_an_open_page_is_stopped_when_one_of_its_sign_ins_ends(office: Office) -> None:
    for key in ("birds", "coins"):
        office.sign_in_to(key, "annotator")
    cookie = "; ".join(f"{name}={value}" for name, value in office.cookies.items())
    visit = office.door.visit(_scope(cookie))
    assert set(visit.visitors) == {"birds", "coins"}
    office.people("coins").disable("annotator")
    later = office.door.visit(_scope(cookie))
    assert not visit.same_people(later)
    assert set(later.visitors) == {"birds"}  # it connects again, without the other project


def _scope(cookie: str) -> dict[str, Any]:
    headers = [(n.lower().encode(), v.encode()) for n, v in own(Cookie=cookie).items()]
    return {"type": "http", "headers": headers, "client": HERE}


def test_two_tabs_of_one_browser_answer_each_in_its_own_project(tmp_path: Path) -> None:
    fakes = {key: FakeWorkbench(tmp_path / key) for key in ("birds", "coins")}
    for fake in fakes.values():
        fake.rounds.propose()
    office = Office(Projects.of(*(UiState(fake) for fake in fakes.values())))
    for key in fakes:
        office.sign_in_to(key, "annotator")
    for number, key in enumerate(("coins", "birds", "coins")):
        routes = f"{OF_PROJECTS}/{key}"
        item = office.call(f"{routes}/queue", "POST", json={"tab": TAB}).json()["items"][number]
        assert office.call(f"{routes}/answer", "POST", json=answer_to(item)).status_code == 200
        assert item["image_url"].startswith(f"{routes}/image/")
    assert {key: len(fake._labels) for key, fake in fakes.items()} == {"birds": 1, "coins": 2}


# --------------------------------------------------------------------------------- which projects there are
def test_a_damaged_project_stops_nothing_else(home: Path, office: Office) -> None:
    (home / "dust").mkdir()
    (home / "dust" / "project.db").write_bytes(b"no database" * 1000)
    (home / "empty").mkdir()
    (home / ".hidden").mkdir()
    shutil.copy(home / "birds" / "project.db", home / ".hidden" / "project.db")
    assert [each.key for each in office.projects.all()] == ["birds", "coins", "dust"]
    troubles = {each.key: each.trouble() for each in office.projects.all()}
    assert troubles["birds"] is troubles["coins"] is None
    assert "project.db" in str(troubles["dust"])
    office.people("birds").add("Ada", PersonRole.MANAGER, PASSWORD)
    form = {"name": "Ada", "password": PASSWORD}
    assert office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form).status_code == 303
    assert office.call(f"{OF_PROJECTS}/birds/answered").status_code == 200
    assert office.call(f"{OF_PROJECTS}/dust/answered").status_code == 401


def test_a_project_is_opened_when_it_is_first_needed_and_stays_open(home: Path) -> None:
    opened: list[str] = []

    def opening(folder: Path) -> Any:
        opened.append(folder.name)
        return open_project(folder)

    office = Office(Projects(opening, home=home), Entrance("the-token"))
    assert office.call(f"{OF_PROJECTS}/birds/answered").status_code == 401
    said = office.page(f"{PREFIX}/door?next=/label?p=birds").text
    assert 'name="password"' in said
    assert "Does nobody have a password yet?" in said  # nobody knows while none is open
    assert opened == []
    for _ in range(2):
        office.sign_in_to("coins", "annotator")
        assert office.call(f"{OF_PROJECTS}/coins/answered").status_code == 200
    assert opened == ["coins"]
    office.projects.close()


def test_folders_of_one_name_have_keys_that_do_not_depend_on_their_order(home: Path) -> None:
    (home / "more").mkdir()
    shutil.copytree(home / "birds", home / "more" / "birds")
    folders = [home / "birds", home / "more" / "birds", home / "coins"]
    there, back = (projects_of(each, None) for each in (folders, folders[::-1]))
    keys = {each.folder: each.key for each in there.all()}
    assert keys == {each.folder: each.key for each in back.all()}
    assert len(set(keys.values())) == 3
    assert keys[home / "coins"] == "coins"


@settings(max_examples=25)
@given(some.lists(some.text(min_size=1, max_size=50), min_size=2, max_size=4, unique=True))
def test_a_key_is_short_plain_and_of_one_name_alone(names: list[str]) -> None:
    plain = [name for name in names if "/" not in name and "\0" not in name and name.strip(".")]
    keys = [key_of(Path("home", name)) for name in plain]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", key, re.ASCII) for key in keys)
    assert len(set(keys)) == len(plain)


def test_cookies_of_one_project_keep_their_name_however_it_is_served(home: Path) -> None:
    alone, all_ = projects_of([home / "birds"], None), projects_of([], home)
    one = alone.all()[0]
    assert one.browser_key == all_.all()[0].browser_key == browser_key_of(home / "birds")
    assert alone.browser_key == one.browser_key
    assert all_.browser_key != one.browser_key
    alone.close()


def test_what_cannot_be_served_is_said_at_the_start(home: Path) -> None:
    for folders, folder in (([], None), ([home / "birds"], home), ([], home / "nowhere")):
        with pytest.raises(InvalidServing):
            projects_of(folders, folder)
    with pytest.raises(InvalidServing, match="twice"):
        projects_of([home / "birds", home / "coins" / ".." / "birds"], None)
    with pytest.raises(ProjectMissing):
        projects_of([home / "birds", home / "nothing"], None)


def test_no_project_is_opened_before_the_port_is_free_or_more_than_the_entrance_needs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def opening(folder: Path, **_: str) -> Any:
        opened.append(folder.name)
        return open_project(folder)

    monkeypatch.setattr("ui.serve.open_project", opening)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        with pytest.raises(PortInUse):
            serve(home / "birds", port=taken.getsockname()[1])
    assert opened == []
    projects = projects_of([], home)
    assert entrance_of(projects, "127.0.0.1", Proxies()).token is not None
    assert opened == ["birds"]
    projects.close()


# -------------------------------------------------------------------------------------- the printed token
def guest(home: Path) -> Office:
    """The browser that brought the printed token, and gave a name."""
    office = Office(Projects(lambda folder: open_project(folder), home=home), Entrance("the-token"))
    asked = office.page("/?token=the-token")
    assert asked.headers["location"] == f"{PREFIX}/door/name?next=/"
    data = {"name": "Zoe", "next": "/"}
    reply = office.call(f"{PREFIX}/door/name", "POST", headers=FORM, data=data)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    return office


def test_a_name_that_is_given_once_holds_for_all_projects(home: Path) -> None:
    office = guest(home)
    for key in ("birds", "coins"):
        assert (
            office.people(key).named("Zoe") is None
        )  # nobody is made before the project is opened
        assert office.page(f"/label?p={key}").headers["location"] == f"/label?p={key}"
        assert office.people(key).get("Zoe").role is PersonRole.MANAGER
        assert office.call(f"{OF_PROJECTS}/{key}/answered").status_code == 200
    assert office.page("/?token=the-token").headers["location"] == "/"
    office.call(f"{PREFIX}/door/out", "POST")
    assert office.page("/label?p=birds").headers["location"].startswith(f"{PREFIX}/door?next=")
    office.projects.close()


def test_a_guest_enters_no_project_in_which_somebody_has_a_password(home: Path) -> None:
    with open_project(home / "coins") as workbench:
        workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    office = guest(home)
    assert office.page("/label?p=coins").headers["location"].startswith(f"{PREFIX}/door?next=")
    assert office.people("coins").named("Zoe") is None
    said: list[object] = []
    say_left_out(office.projects, lambda *words: said.append(words), "http://here/alw/door")
    assert said == [(["coins"], "http://here/alw/door")]
    # A password that is set while the server runs counts at the next request.
    office.people("birds").set_password("annotator", PASSWORD)
    assert office.page("/label?p=birds").headers["location"].startswith(f"{PREFIX}/door?next=")
    assert office.people("birds").named("Zoe") is None
    assert open_to_guests(office.projects, ()) == []
    office.people("birds").disable("annotator")
    assert [each.key for each in open_to_guests(office.projects, ())] == ["birds"]
    assert office.page("/label?p=birds").headers["location"] == "/label?p=birds"
    office.projects.close()


def test_a_guest_whom_a_project_does_not_take_is_told(home: Path) -> None:
    with open_project(home / "coins") as workbench:
        workbench.people.add("Zoe", PersonRole.ANNOTATOR)
        workbench.people.disable("Zoe")
    office = guest(home)
    reply = office.page("/label?p=coins")
    assert (reply.status_code, "Zoe" in reply.text) == (403, True)
    office.projects.close()


def test_there_is_a_token_while_a_project_has_no_passwords_or_there_is_none(home: Path) -> None:
    def token(host: str = "127.0.0.1") -> str | None:
        projects = projects_of([], home)
        try:
            return entrance_of(projects, host, Proxies()).token
        finally:
            projects.close()

    assert token() is not None
    for number, key in enumerate(("birds", "coins")):
        with open_project(home / key) as workbench:
            workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
        assert (token() is None) == (number == 1)
        assert token("0.0.0.0") is None
    for key in ("birds", "coins"):
        shutil.rmtree(home / key)
    assert token() is not None
