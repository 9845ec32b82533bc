"""Laws of the answer to an address that no page has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alworkbench.core.domain import PersonRole
from tests.ui.site import Site, kept_site, site
from ui.door.nowhere import NoSuchPage
from ui.pages import PAGES, pages_of
from ui.routes import make_routes

__all__ = ["kept_site", "site"]

OPENED = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


async def behind(_request: Request) -> Response:
    return PlainTextResponse("behind")


@pytest.fixture(params=["", "/birds"])
def guarded(site: Site, request: pytest.FixtureRequest) -> Site:
    """The site with its routes, and behind them one that answers everything, as Streamlit does."""
    site = site.below(request.param)
    nowhere = NoSuchPage(
        site.door,
        frozenset({"home", *(each.url for each in PAGES)}),
        lambda person: pages_of(person),
    )
    routes = [*make_routes(site.door), nowhere, Route("/{path:path}", behind)]
    return replace(site, routed=Starlette(routes=routes))


@pytest.mark.parametrize("role", list(PersonRole))
@pytest.mark.parametrize("path", ["/labels", "/label/1", "/<b>x"])
def test_an_unknown_address_says_so_and_leads_to_the_pages_of_the_person(
    guarded: Site, path: str, role: PersonRole
) -> None:
    base = guarded.door.projects.base
    cookie = guarded.cookie(role.value)
    reply = guarded.call(base + path, headers=OPENED | cookie)
    assert reply.status_code == 404
    assert "There is no such page" in reply.text
    assert "<b>x" not in reply.text
    assert f'<a class="button" href="{base}/">' in reply.text
    for each in PAGES:
        link = f'<a href="{base}/{each.url}">{each.title}</a>'
        assert (link in reply.text) == role.includes(each.needed)


@pytest.mark.parametrize(
    "path", ["/", "/home", "/static/x.js", "/media/x", "/favicon.png", "/index.html"]
)
def test_what_is_there_is_passed_on(guarded: Site, path: str) -> None:
    cookie = guarded.cookie("manager")
    base = guarded.door.projects.base
    assert guarded.call(base + path, headers=OPENED | cookie).text == "behind"
    for each in PAGES:
        assert (
            guarded.call(f"{base}/{each.url}?p=x", headers=cookie).text != "There is no such page"
        )
        assert guarded.call(f"{base}/{each.url}", headers=OPENED | cookie).text == "behind"
    for headers in ({"Accept": "*/*"}, OPENED | {"Sec-Fetch-Dest": "script"}):
        assert guarded.call(f"{base}/labels", headers=headers | cookie).text == "behind"


def test_nobody_is_led_to_the_door_first(guarded: Site) -> None:
    reply = guarded.call(f"{guarded.door.projects.base}/labels", headers=OPENED)
    assert reply.status_code == 303
    assert "/alw/door" in reply.headers["location"]
