"""Laws of the door's pages: who signs in gets in and nobody else, and nothing on them is markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import InvalidServing, NoAccounts, ProjectReadOnly
from alworkbench.project.attempts import MOST_OF_A_NAME
from tests.ui.site import BASE, NOW, Site, kept_site, site
from ui.door.addresses import LOOPBACK, Address, addresses_of, parse_address, parse_base_path
from ui.door.entrance import Entrance
from ui.door.proxies import Proxies, proxies_of
from ui.serve import entrance_of

__all__ = ["kept_site", "site"]

PASSWORD = "four quiet words here"
FORM = {"Origin": BASE, "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def door(site: Site) -> Site:
    """The site with its own routes behind the guard."""
    site.workbench.people.add("Ada", PersonRole.ANNOTATOR, PASSWORD)
    return replace(site, has_routes=True)


def sign_in(door: Site, name: str = "Ada", password: str = PASSWORD, **more: str) -> httpx.Response:
    return door.call(
        "/alw/door", "POST", headers=FORM, data={"name": name, "password": password} | more
    )


def cookie_of(reply: httpx.Response) -> dict[str, str]:
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


class Fields(HTMLParser):
    """Names and values of the inputs of a page, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "input":
            found = dict(attrs)
            self.inputs[found["name"] or ""] = found.get("value") or ""


def test_name_and_password_open_the_page_that_was_wanted(door: Site) -> None:
    shown = door.call("/alw/door?next=/label%3Fa%3D1")
    assert Fields(shown.text).inputs["next"] == "/label?a=1"
    reply = sign_in(door, "ada", next="/label?a=1")
    assert (reply.status_code, reply.headers["location"]) == (303, "/label?a=1")
    given = reply.headers["set-cookie"]
    assert all(word in given for word in ("HttpOnly", "SameSite=lax", "Path=/;", "Max-Age=2592000"))
    assert "Secure" not in given
    account = door.call("/alw/door/you", headers=cookie_of(reply))
    assert "Ada" in account.text
    assert "annotator" in account.text
    assert door.call("/alw/door", headers=cookie_of(reply)).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/a//b", "label", "", "/a\nb"],
)
def test_the_door_leads_to_pages_of_this_server_alone(door: Site, wanted: str) -> None:
    assert sign_in(door, next=wanted).headers["location"] == "/"


def test_a_wrong_password_is_said_and_too_many_are_stopped(door: Site) -> None:
    for _ in range(MOST_OF_A_NAME):
        reply = sign_in(door, password="wrong")
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers
    stopped = sign_in(door)
    assert stopped.status_code == 429
    assert "Wait 15 minutes" in stopped.text


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", '"><script>x</script>', "{{7*7}}"]
)
def test_a_name_at_the_door_is_never_markup(door: Site, name: str) -> None:
    reply = sign_in(door, name, "wrong")
    page = Fields(reply.text)
    assert page.inputs["name"] == name
    assert "script" not in page.tags
    assert page.tags.count("img") == 1


def test_signing_out_ends_the_sign_in(door: Site) -> None:
    cookie = cookie_of(sign_in(door))
    assert door.call("/alw/door/out", "POST", headers=cookie).status_code == 403  # no Origin
    reply = door.call("/alw/door/out", "POST", headers=cookie | {"Origin": BASE})
    assert reply.headers["location"] == "/alw/door?said=out"
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert door.call("/alw/door/you", headers=cookie).headers["location"] == "/alw/door"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain"])
def test_only_a_form_is_read(door: Site, kind: str) -> None:
    headers = {"Origin": BASE, "Content-Type": kind}
    reply = door.call(
        "/alw/door", "POST", headers=headers, content=b"name=Ada&password=" + b"x" * 20
    )
    assert reply.status_code == 415
    many = b"&".join(b"a%d=1" % n for n in range(20))
    assert door.call("/alw/door", "POST", headers=FORM, content=many).status_code == 400
    assert door.call("/alw/door", "POST", headers=FORM, content=b"name=%ff\xff").status_code == 400


def test_a_cookie_of_an_https_address_is_sent_over_tls_alone(door: Site) -> None:
    there = "https://birds.example"
    door = door.with_door(addresses=addresses_of("0.0.0.0", 8501, [there]))
    data = {"name": "Ada", "password": PASSWORD}
    reply = door.call("/alw/door", "POST", base=there, headers=FORM | {"Origin": there}, data=data)
    assert "Secure" in reply.headers["set-cookie"]


# ------------------------------------------------------------------------------------- the first name
def with_token(door: Site) -> tuple[Site, dict[str, str]]:
    """The door of a machine without passwords, and the cookie of the browser that brought the token."""
    door.workbench.people.disable("Ada")
    door = door.with_door(entrance=Entrance("the-token"))
    reply = door.call("/label?token=the-token", headers={"Accept": "text/html"})
    return door, cookie_of(reply)


def test_a_name_is_asked_once_and_remembered(door: Site) -> None:
    door, brought = with_token(door)
    asked = door.call("/alw/door/name?next=/label", headers=brought)
    assert ">annotator</button>" in asked.text
    assert ">Ada</button>" not in asked.text  # who is disabled cannot enter
    headers = FORM | brought
    reply = door.call(
        "/alw/door/name", "POST", headers=headers, data={"name": "Bo", "next": "/label"}
    )
    assert reply.headers["location"] == "/label"
    assert door.workbench.people.get("Bo").role is PersonRole.MANAGER
    assert door.call("/alw/door/you", headers=cookie_of(reply)).status_code == 200
    again = door.call("/alw/door/name", "POST", headers=headers, data={"name": "Cy"})
    assert again.headers["location"] == "/alw/door?said=used"
    assert [p.name for p in door.workbench.people.all()][-1] == "Bo"


@pytest.mark.parametrize("name", ["Ada", "", "a\nb", "x" * 81, "gone"])
def test_a_name_that_cannot_be_taken_is_said_and_asked_again(door: Site, name: str) -> None:
    door.workbench.people.add("gone", PersonRole.MANAGER)
    door.workbench.people.disable("gone")
    door, brought = with_token(door)
    before = door.workbench.people.all()
    reply = door.call("/alw/door/name", "POST", headers=FORM | brought, data={"name": name})
    assert reply.status_code == 403
    assert 'role="alert"' in reply.text
    assert door.workbench.people.all() == before
    assert door.call("/alw/door/name", headers=brought).status_code == 200


def test_the_token_lets_nobody_in_once_somebody_has_a_password(door: Site) -> None:
    unused = door.with_door(entrance=Entrance("the-token"))
    door, brought = with_token(door)
    door.workbench.people.enable("Ada")
    before = door.workbench.people.all()
    led = unused.call("/label?token=the-token", headers={"Accept": "text/html"})
    assert led.headers["location"] == "/alw/door?next=/label"
    for name in ("Ada", "annotator", "Bo"):
        reply = door.call("/alw/door/name", "POST", headers=FORM | brought, data={"name": name})
        assert (reply.status_code, reply.headers.get("set-cookie")) == (403, None)
        assert all(each in reply.text for each in ('role="alert"', 'type="password"'))
    assert door.workbench.people.all() == before


def test_without_the_token_nobody_is_asked_for_a_name(door: Site) -> None:
    for cookie in ({}, {"Cookie": f"{door.door.pass_cookie}=guessed"}):
        for method, more in (("GET", {}), ("POST", {"data": {"name": "Eve"}})):
            reply = door.call("/alw/door/name", method, headers=FORM | cookie, **more)
            assert reply.headers["location"] == "/alw/door?said=used"
    assert "Eve" not in [p.name for p in door.workbench.people.all()]


def test_the_door_says_how_to_get_in_where_nobody_has_a_password(site: Site) -> None:
    door = replace(site, has_routes=True).with_door(entrance=Entrance("the-token"))
    said = door.call("/alw/door?said=used").text
    assert "alworkbench serve" in said
    assert "used already" in said
    assert "the-token" not in said


# ------------------------------------------------------------------------------------ how it is served
def test_below_a_path_every_link_and_cookie_is_below_it(site: Site) -> None:
    site.workbench.people.add("Ada", PersonRole.ANNOTATOR, PASSWORD)
    door = replace(site.below("/birds"), has_routes=True)
    for sent in ("/birds/alw/door", "/alw/door"):
        shown = door.call(sent).text
        assert 'href="/birds/alw/door/door.css"' in shown
        assert 'action="/birds/alw/door"' in shown
        data = {"name": "Ada", "password": PASSWORD, "next": "/label"}
        reply = door.call(sent, "POST", headers=FORM, data=data)
        assert reply.headers["location"] == "/birds/"
        assert "Path=/birds;" in reply.headers["set-cookie"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("birds.example", Address("http", "birds.example", 8501)),
        ("Birds.Example:80", Address("http", "birds.example", 80)),
        ("https://birds.example", Address("https", "birds.example", 443)),
        ("https://birds.example:8443/", Address("https", "birds.example", 8443)),
        ("[fd00::1]:9000", Address("http", "[fd00::1]", 9000)),
    ],
)
def test_allowed_hosts_are_read_exactly(text: str, expected: Address) -> None:
    assert parse_address(text, 8501) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.example",
        "a b",
        "ftp://x",
        "http://x/y",
        "x:99999",
        "x:0",
        "u@x",
        "http://",
        "x?y",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidServing, match="allowed-host"):
        parse_address(text, 8501)


def test_every_interface_is_known_by_this_machines_names_unless_others_are_named() -> None:
    known = [each.host for each in addresses_of("0.0.0.0", 8501, ["birds"]).known]
    assert known == [*LOOPBACK, "birds"]
    assert [a.authority for a in addresses_of("192.168.1.5", 80, ()).known] == ["192.168.1.5"]


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("birds", "/birds"), ("/a/b/", "/a/b")]
)
def test_a_base_path_is_brought_into_one_form(text: str, path: str) -> None:
    assert parse_base_path(text) == path


@pytest.mark.parametrize("text", ["a//b", "../a", "a b", "a?b", "%2e", "http://x"])
def test_what_is_no_base_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidServing, match="base-path"):
        parse_base_path(text)


@pytest.mark.parametrize(
    ("addresses", "header"), [((), "X-User"), (("proxy.example",), None), (("10.0.0.5",), "X User")]
)
def test_a_header_needs_a_listed_proxy(addresses: tuple[str, ...], header: str | None) -> None:
    with pytest.raises(InvalidServing):
        proxies_of(addresses, header)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lab.example"])
def test_other_addresses_need_an_account_that_can_sign_in(site: Site, host: str) -> None:
    people = site.workbench.people
    with pytest.raises(NoAccounts, match="alworkbench people add NAME --role manager"):
        entrance_of(site.door.projects, host, Proxies())
    people.add("Ada", PersonRole.MANAGER, PASSWORD)
    assert entrance_of(site.door.projects, host, Proxies()).token is None
    people.disable("Ada")
    with pytest.raises(NoAccounts):
        entrance_of(site.door.projects, host, Proxies())
    assert entrance_of(site.door.projects, host, proxies_of(["10.0.0.5"], "X-User")).token is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
def test_this_machine_needs_a_token_until_somebody_has_a_password(site: Site, host: str) -> None:
    tokens = {entrance_of(site.door.projects, host, Proxies()).token for _ in range(3)}
    assert len(tokens) == 3
    assert min(len(token or "") for token in tokens) >= 43
    site.workbench.people.add("Ada", PersonRole.MANAGER, PASSWORD)
    assert entrance_of(site.door.projects, host, Proxies()).token is None


def test_a_project_that_can_only_be_read_is_said_at_the_door(
    door: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ProjectReadOnly("birds")

    monkeypatch.setattr(door.workbench.people, "let_in", refuse)
    assert sign_in(door).status_code == 503
    for name in ("annotator", "reviewer", "Ada"):
        door.workbench.people.disable(name)
    door = door.with_door(entrance=Entrance("the-token"))
    reply = door.call("/?token=the-token", headers={"Accept": "text/html"})
    assert reply.status_code == 503
    assert "birds" in reply.text


def test_the_clock_of_the_door_is_that_of_the_project(door: Site) -> None:
    door, brought = with_token(door)
    door.clock[0] = NOW.replace(hour=NOW.hour + 1)
    assert door.call("/alw/door/name", headers=brought).status_code == 303
