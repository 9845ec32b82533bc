"""Several people, each with a browser of their own, in front of one served project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from alworkbench.api import open_project
from alworkbench.core.domain import PersonRole
from tests.browser.desk import COOKIES, Desk
from ui.state import UiState

PAGE_SECONDS = 120.0
"""Several browsers that begin at once on a busy machine take long."""
HASH = re.compile(r"/image/([0-9a-f]{64})")


def add_people(folder: Path, *names: str) -> dict[str, dict[str, str]]:
    """Name -> the cookie with which a browser of this person is signed in; the first is the manager."""
    with open_project(folder) as workbench:
        key = UiState(workbench).project_key
        for n, name in enumerate(names):
            role = PersonRole.ANNOTATOR if n else PersonRole.MANAGER
            workbench.people.add(name, role, "four quiet words here")
        return {
            name: {"name": f"alworkbench_{key}", "value": workbench.people.let_in(name)}
            for name in names
        }


def join(browser: Browser, url: str, cookie: dict[str, str], **options: Any) -> Desk:
    """The labelling page of one person, in a browser context of its own."""
    COOKIES[url] = [{**cookie, "url": url}]
    desk = Desk.open(browser, url, seconds=PAGE_SECONDS, **options)
    there(desk)
    return desk


def there(desk: Desk) -> None:
    """Wait until the desk is on the page, whether or not it has an image."""
    expect(desk.root).to_have_attribute("data-armed", re.compile("."), timeout=1000 * PAGE_SECONDS)


def second_tab(desk: Desk, url: str) -> Desk:
    """Another tab in the browser of the same person."""
    other = Desk(desk.page.context.new_page())
    other.page.on("request", lambda request: other._note(request.url, url))
    other.page.on("pageerror", lambda error: other.errors.append(str(error)))
    other.page.goto(f"{url}/label")
    there(other)
    return other
