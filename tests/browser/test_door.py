"""The door in Chromium: the printed address, accounts, two people and two tabs, and a path below a proxy."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from alworkbench.api import open_project
from alworkbench.core.domain import PersonRole
from tests.browser.conftest import free_port
from tests.browser.desk import Desk
from tests.browser.real_project import make_project as make_real
from tests.browser.serving import command, serving, stripping_proxy
from tests.ui.test_streamlit_options import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.long]

PASSWORD = "four quiet words here"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a round of 120 images, enough for several people and tabs."""
    folder = tmp_path_factory.mktemp("team") / "project"
    make_real(folder, 120)
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path / "birds")
    return tmp_path / "birds"


@pytest.fixture
def browsers(chromium: Browser) -> Iterator[Any]:
    """Makes browsers of different people: each has cookies of its own."""
    made: list[BrowserContext] = []

    def make() -> BrowserContext:
        context = chromium.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(30_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


def desk_of(page: Page, url: str) -> Desk:
    desk = Desk(page)
    page.on("request", lambda request: desk._note(request.url, url))
    page.on("pageerror", lambda error: desk.errors.append(str(error)))
    return desk


def sign_in(context: BrowserContext, url: str, name: str, path: str = "/label") -> Desk:
    page = context.new_page()
    desk = desk_of(page, url)
    page.goto(f"{url}{path}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return desk


def answers(folder: Path) -> list[tuple[str, int | None]]:
    """Who answered which item, of the answers that count."""
    with open_project(folder) as workbench, workbench.session.store.read() as reader:
        items = reader.rounds.items(1)
        return [(i.label.annotator, i.label.item_id) for i in items if i.label is not None]


def test_the_printed_address_lets_one_browser_in_and_nothing_leaves_this_machine(
    browsers: Any, folder: Path, tmp_path: Path
) -> None:
    """In a working folder with a hostile configuration of Streamlit."""
    port = free_port()
    plain = f"http://127.0.0.1:{port}"
    hostile = tmp_path / "hostile"
    (hostile / ".streamlit").mkdir(parents=True)
    (hostile / ".streamlit" / "config.toml").write_text(HOSTILE)
    first = browsers()
    desk = desk_of(first.new_page(), plain)
    with serving(folder, port, cwd=hostile, STREAMLIT_SERVER_ENABLE_CORS="false") as served:
        assert served.address.startswith(f"{plain}/?token=")
        desk.page.goto(served.address)
        desk.page.get_by_label("Your name").fill("Ada <b>")
        desk.page.get_by_role("button", name="Go on").click()
        expect(desk.page.get_by_text("Signed in as Ada <b> (manager)")).to_be_visible()
        desk.page.wait_for_url(f"{plain}/project")
        desk.page.goto(f"{plain}/label")
        item = desk.press("1")
        desk.saved(1)
        assert answers(folder) == [("Ada <b>", item)]
        other = browsers().new_page()
        other.goto(served.address)
        expect(other.get_by_text("used already")).to_be_visible()
        seen = served.connections()
        assert ("127.0.0.1", "127.0.0.1") in seen
        for local, remote in seen:
            assert ipaddress.ip_address(local).is_loopback
            listening = ipaddress.ip_address(remote).is_unspecified
            assert listening or ipaddress.ip_address(remote).is_loopback
    with serving(folder, port) as served:  # the browser is remembered
        desk.page.goto(f"{plain}/label")
        desk.press("2")
        desk.saved(2)
        third = browsers().new_page()
        third.goto(served.address)  # nobody is asked for a name again
        expect(third.get_by_text("Signed in as Ada <b>")).to_be_visible()
    assert (desk.errors, desk.outside) == ([], [])


def test_people_and_tabs_have_images_of_their_own_and_a_disabled_person_is_stopped(
    browsers: Any, folder: Path
) -> None:
    port = free_port()
    url, project = f"http://127.0.0.1:{port}", ("--project", str(folder))
    for name, role in (("Ada", "manager"), ("Bo", "annotator")):
        words = ("people", "add", name, "--role", role, "--password-stdin", *project)
        command(*words, typed=PASSWORD)
    with serving(folder, port) as served:
        assert served.address == url
        adas, bos = browsers(), browsers()
        ada, bo = sign_in(adas, url, "Ada"), sign_in(bos, url, "bo")
        ada.ready()
        bo.ready()
        assert ada.item() != bo.item()
        second = desk_of(adas.new_page(), url)  # a second tab of Ada
        second.page.goto(f"{url}/label")
        second.ready()
        assert len({ada.item(), bo.item(), second.item()}) == 3

        # Each takes back the own answer, in the own tab.
        mine, theirs, here = ada.press("1"), bo.press("2"), second.press("3")
        second.saved(3)
        ada.page.bring_to_front()
        ada.page.keyboard.press("z")
        expect(ada.root).to_have_attribute("data-item", str(mine))
        ada.saved(2)
        assert sorted(answers(folder)) == sorted([("Bo", theirs), ("Ada", here)])

        # Bo takes no more images from here on: neither those that are given back below, nor, once he is
        # disabled, the news of it before his next answer. The banner of a lost connection asks for keys.js.
        for asked in ("**/queue", "**/shared/keys.js"):
            bo.page.route(asked, lambda route: route.abort())
        # A closed tab gives its images back at once; a reload keeps the tab.
        left = second.item()
        second.page.close()
        before = ada.item()
        ada.page.reload()
        ada.ready()
        assert ada.item() == before
        with open_project(folder) as workbench:
            (given,) = (i for i in workbench.rounds.items(1) if i.id == left)
            assert given.leases == ()

        # An annotator sees the labelling page alone.
        expect(bo.page.get_by_text("Signed in as Bo (annotator)")).to_be_visible()
        expect(bo.page.get_by_text("Close the round early")).to_have_count(0)
        expect(ada.page.get_by_text("Close the round early")).to_be_visible()
        expect(bo.page.get_by_text("Page not found")).to_have_count(0)
        visit = bos.new_page()
        visit.goto(f"{url}/")
        visit.wait_for_url(f"{url}/label")
        visit.goto(f"{url}/curves")
        expect(visit.get_by_text("Signed in as Bo")).to_be_visible()
        expect(visit.get_by_text("Accuracy")).to_have_count(0)
        visit.close()

        command("people", "disable", "Bo", *project)
        late = bo.press("4")
        expect(bo.page.get_by_text("You are not signed in")).to_be_visible()
        assert ("Bo", late) not in answers(folder)
        command("people", "enable", "Bo", *project)
        again = sign_in(bos, url, "Bo")
        again.ready()
        again.saved(3)  # what waited in the browser is sent
        assert ("Bo", late) in answers(folder)
        for desk in (ada, bo, again):
            assert (desk.errors, desk.outside) == ([], [])


def test_below_a_prefix_that_a_proxy_strips_everything_works(browsers: Any, folder: Path) -> None:
    port, proxy = free_port(), free_port()
    with open_project(folder) as workbench:
        workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    url = f"http://127.0.0.1:{proxy}/birds"
    words = ("--base-path", "/birds", "--allowed-host", f"127.0.0.1:{proxy}")
    with serving(folder, port, *words), stripping_proxy("/birds", proxy, port):
        for address in (url, f"http://127.0.0.1:{port}/birds"):  # stripped, and passed on
            desk = sign_in(browsers(), address, "Ada")
            desk.ready()
            desk.press("1")
            expect(desk.root).to_have_attribute("data-unsaved", "0")
            desk.page.get_by_role("link", name="Curves").first.click()
            desk.page.wait_for_url(f"{address}/curves")
            expect(desk.page.get_by_text("Signed in as Ada")).to_be_visible()
            desk.page.get_by_role("link", name="Account").click()
            desk.page.get_by_role("button", name="Sign out").click()
            expect(desk.page.get_by_text("You are signed out")).to_be_visible()
            desk.page.goto(f"{address}/label")
            expect(desk.page.get_by_label("Password")).to_be_visible()
            assert (desk.errors, desk.outside) == ([], [])
    assert len(answers(folder)) == 2
