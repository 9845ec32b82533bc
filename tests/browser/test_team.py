"""Two people with browsers of their own on one server: two rounds, and the hand-over between them."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from alworkbench.api import open_project
from tests.browser.conftest import free_port
from tests.browser.desk import Desk
from tests.browser.real_project import make_project
from tests.browser.serving import serving
from tests.browser.team import add_people, join, second_tab

pytestmark = [pytest.mark.browser, pytest.mark.long]

IMAGES = 10
WORKER_SECONDS = 240.0


def test_two_people_share_a_round_and_go_on_with_the_next_which_both_answer(
    chromium: Browser, tmp_path: Path
) -> None:
    """Round 1 asks one answer to each image, round 2 two."""
    folder = tmp_path / "birds"
    make_project(folder, IMAGES)
    cookies = add_people(folder, "Ada", "Bo")
    with open_project(folder) as workbench, workbench.session.store.write() as writer:
        changed = replace(writer.settings(), overlap=2, overlap_share=1.0, prepare_at=0.5)
        writer.save_settings(changed)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(folder, port) as served:
        ada = join(chromium, url, cookies["Ada"])
        ada.ready()
        bo = join(chromium, url, cookies["Bo"])
        given = [("Ada", ada.press("1"))]
        bo.ready()  # Ada held all ten, and has given some back
        tab = second_tab(ada, url)
        given += [("Ada", ada.press("2")), ("Bo", bo.press("3"))]
        tab.ready()
        assert len({ada.item(), bo.item(), tab.item()} | {item for _, item in given}) == 6
        given.append(("Ada", tab.press("4")))

        # Bo takes back the own answer, though Ada answered after it.
        mine = given[2][1]
        bo.page.keyboard.press("z")
        expect(bo.root).to_have_attribute("data-item", str(mine))
        assert bo.press("5") == mine
        _take_turns([("Ada", ada), ("Bo", bo), ("Ada", tab)], given)
        for desk in (ada, bo, tab):
            desk.finished()
        assert sorted(_stored(folder, 1)) == sorted(given)
        assert len({item for _, item in given}) == IMAGES

        # The next round was prepared meanwhile. Nobody loads a page again.
        go_on = ada.page.get_by_role("button", name="Close the round and go on")
        expect(go_on).to_be_visible(timeout=1000 * WORKER_SECONDS)
        for desk in (ada, bo):
            desk.page.evaluate("window.notLoadedAgain = true")
        go_on.click()
        for desk in (ada, bo):
            desk.ready()
            assert desk.page.evaluate("window.notLoadedAgain")
        asked = _items(folder, 2)
        assert {ada.item(), bo.item()} <= asked

        # Two answers to each image: who has given all of theirs is told so.
        one: list[int] = []
        waits = ada.page.get_by_text("Another tab of yours has the last images.")
        while not waits.is_visible():
            if ada.root.get_attribute("data-armed") == "true":
                one.append(ada.press("1"))
            ada.page.wait_for_timeout(50)
        assert len(one) < IMAGES
        one += [tab.press("1") for _ in range(IMAGES - len(one))]
        expect(ada.page.get_by_text("You are done with this round")).to_be_visible()
        expect(ada.page.get_by_text("Others give the 10 answers that are left")).to_be_visible()
        expect(tab.page.get_by_text("You are done with this round")).to_be_visible()
        other = [bo.press("2") for _ in range(IMAGES)]
        for desk in (ada, bo):
            desk.finished()
        assert set(one) == set(other) == asked
        assert sorted(_stored(folder, 2)) == sorted(
            [("Ada", item) for item in asked] + [("Bo", item) for item in asked]
        )
        expect(bo.page.get_by_text("The model has learned from round 1")).to_be_visible(
            timeout=1000 * WORKER_SECONDS
        )
        bo.page.get_by_role("button", name="Dismiss").click()
        expect(bo.page.get_by_text("The model has learned from round 1")).to_have_count(0)
        bo.finished()

        for local, remote in served.connections():
            assert ipaddress.ip_address(local).is_loopback
            other_end = ipaddress.ip_address(remote)
            assert other_end.is_unspecified or other_end.is_loopback
        for desk in (ada, bo, tab):
            assert (desk.errors, desk.outside) == ([], [])
        for desk in (ada, bo):
            assert all(press["loaded"] for press in desk.witnessed() if press["key"] in "12345")
            desk.close()


def _take_turns(desks: list[tuple[str, Desk]], given: list[tuple[str, int]]) -> None:
    """Whoever has an image answers it, until the round has no more."""
    while len(given) < IMAGES:
        for name, desk in desks:
            if len(given) < IMAGES and desk.root.get_attribute("data-armed") == "true":
                given.append((name, desk.press("1")))
                expect(desk.root).to_have_attribute("data-unsaved", "0")


def _items(folder: Path, round_id: int) -> set[int]:
    with open_project(folder) as workbench:
        return {item.id for item in workbench.rounds.items(round_id)}


def _stored(folder: Path, round_id: int) -> list[tuple[str, int]]:
    """Who answered which item, of the answers that were asked."""
    with open_project(folder) as workbench:
        items = workbench.rounds.items(round_id)
        return [(who, item.id) for item in items for who in item.answered_by]
