"""Laws of the guard: who is let in where, and what is refused before anything behind it sees the request."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import httpx
import pytest

from alworkbench.core.domain import (
    PersonRole,
)
from alworkbench.project.people import SIGNED_IN
from tests.ui.site import BASE, HERE, NOW, Site, kept_site, own, path_of, paths_of_ours, site
from ui.door import limits
from ui.door.addresses import Addresses, addresses_of
from ui.door.entrance import Entrance
from ui.door.guard import CLOSED, FOR_MANAGERS
from ui.door.proxies import Proxies, proxies_of
from ui.door.visitor import PERSON_HEADER
from ui.routes import our_routes

__all__ = ["kept_site", "site"]

PROXY = ("10.0.0.5", 50_000)
PAGES = ("/", "/label", "/project", "/curves")
OURS = tuple(paths_of_ours())
STREAMLITS = ("/_stcore/host-config", "/media/x.png", "/static/x.js", "/component/x/y")
OPEN = ("/alw/door", "/alw/door/door.css", "/alw/door/name", "/_stcore/health")
EVERYWHERE = (*PAGES, *OURS, *STREAMLITS, *FOR_MANAGERS)


# ------------------------------------------------------------------------------ role x route x method
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


@pytest.mark.parametrize("path", [*EVERYWHERE, *OPEN, *CLOSED])
def test_who_gets_where(site: Site, path: str) -> None:
    """Every role, nobody and a disabled person, with every method."""
    visitors = {None: {}} | {role: site.cookie(role.value) for role in PersonRole}
    site.workbench.people.add("gone", PersonRole.MANAGER)
    visitors["gone"] = site.cookie("gone")
    site.workbench.people.disable("gone")
    for (who, cookie), method in itertools.product(visitors.items(), METHODS):
        role = who if isinstance(who, PersonRole) else None
        if path in CLOSED:
            expected = 404
        elif role is None:
            expected = 200 if path in OPEN else 401
        else:
            needed = PersonRole.MANAGER if path in FOR_MANAGERS else PersonRole.ANNOTATOR
            expected = 200 if role.includes(needed) else 403
        before = len(site.behind.seen)
        reply = site.call(path, method, headers={"Origin": BASE} | cookie)
        assert reply.status_code == expected, (who, method, reply.text)
        assert len(site.behind.seen) - before == (expected == 200)


@pytest.mark.parametrize("role", list(PersonRole))
def test_each_route_is_for_its_least_role_and_above(site: Site, role: PersonRole) -> None:
    """Below it a person is refused before the body is read; from it on, the route itself answers."""
    site, headers = site.routed_once(), site.cookie(role.value) | {"Origin": BASE}
    for route in our_routes(site.state):
        for method in (route.methods or set()) - {"HEAD"}:
            reply = site.call(path_of(route), method, headers=headers)
            refused = reply.status_code == 403 and reply.json()["code"] == "role"
            assert refused != role.includes(route.needed), (route.path, reply.text)
            assert reply.status_code not in (401, 405, 500), (route.path, reply.text)


def test_a_page_leads_to_the_door_and_back(site: Site) -> None:
    for path in PAGES:
        reply = site.call(path + "?a=1", headers={"Accept": "text/html"})
        assert reply.status_code == 303
        assert reply.headers["location"] == f"/alw/door?next={path}%3Fa%3D1"
    assert site.behind.seen == []


def test_unknown_methods_are_refused(site: Site) -> None:
    headers = site.cookie("manager") | {"Origin": BASE}
    for method in ("TRACE", "CONNECT", "PATCH", "PROPFIND"):
        assert site.call("/label", method, headers=headers).status_code == 405


# -------------------------------------------------------------------------------------- Host and Origin
HOSTS = [
    "evil.example", "evil.example:8501", "127.0.0.1", "127.0.0.1:9999", "localhost:8502",
    "127.0.0.1.evil.example:8501", "user@127.0.0.1:8501", "127.0.0.1:8501.", "127.0.0.1:08501", "",
]  # fmt: skip
ORIGINS = [
    "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:9999", "https://127.0.0.1:8501",
    "http://localhost:8501", "null", "", "http://127.0.0.1:8501/", "http://127.0.0.1:8501.evil.example",
    "file://", "HTTP://127.0.0.1:8501",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_is_not_the_servers_is_refused(site: Site, host: str) -> None:
    headers = site.cookie("manager") | {"Host": host, "Origin": f"http://{host}"}
    for path in ("/label", "/alw/queue", "/_stcore/health", "/alw/door"):
        assert site.call(path, headers=headers).status_code == 403
    assert site.connect(headers) == [{"type": "websocket.close", "code": 1008}]
    assert site.behind.seen == []


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_another_server_is_refused(site: Site, origin: str) -> None:
    headers = site.cookie("manager") | {"Origin": origin}
    paths, methods = ("/label", "/alw/queue", "/alw/door"), ("GET", "POST", "DELETE", "OPTIONS")
    for path, method in itertools.product(paths, methods):
        assert site.call(path, method, headers=headers).status_code == 403
    assert site.connect(own(**headers)) == [{"type": "websocket.close", "code": 1008}]
    assert site.behind.seen == []


def test_origin_is_required_where_something_changes_and_for_the_websocket(site: Site) -> None:
    cookie = site.cookie("manager")
    assert site.call("/label", headers=cookie).status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert site.call("/alw/queue", method, headers=cookie).status_code == 403
    assert site.connect(cookie | {"Host": "127.0.0.1:8501"}) == [
        {"type": "websocket.close", "code": 1008}
    ]
    assert len(site.behind.seen) == 1


@pytest.mark.parametrize(
    "name", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "LOCALHOST:8501"]
)
def test_each_name_of_this_machine_works_with_its_own_origin(site: Site, name: str) -> None:
    headers = own(**site.cookie("annotator")) | {"Host": name, "Origin": f"http://{name.lower()}"}
    assert site.call("/alw/queue", "POST", headers=headers).status_code == 200
    assert site.connect(headers)[0] == {"type": "websocket.accept"}


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_other_sites_may_open_a_page_and_nothing_else(site: Site, where: str) -> None:
    """Another port of this machine is the same site; its requests carry the cookie."""
    headers = site.cookie("manager") | {"Sec-Fetch-Site": where}
    opened = headers | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert site.call("/label", headers=opened).status_code == 200
    for more in ({}, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}):
        assert site.call("/alw/image/" + "0" * 64, headers=headers | more).status_code == 403
    framed = headers | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert site.call("/label", headers=framed).status_code == 403


def test_https_names_have_their_own_origin_and_cookies_for_tls_alone(site: Site) -> None:
    site = site.with_door(addresses=addresses_of("0.0.0.0", 8501, ["https://birds.example"]))
    cookie, there = site.cookie("manager"), "https://birds.example"
    for origin, status in ((there, 200), ("http://birds.example", 403), (f"{there}:8501", 403)):
        headers = cookie | {"Host": "birds.example", "Origin": origin}
        assert site.call("/alw/queue", "POST", headers=headers).status_code == status
    reply = site.call("/label", headers=cookie, base=there)
    assert "max-age" in reply.headers["strict-transport-security"]
    assert site.door.is_secure(site.behind.seen[-1])


# ------------------------------------------------------------------------------------------- sessions
def test_a_sign_in_ends_by_time_by_signing_out_and_by_disabling(site: Site) -> None:
    people = site.workbench.people

    def allowed(cookie: dict[str, str]) -> bool:
        return site.call("/label", headers=cookie).status_code == 200

    first = site.cookie("annotator")
    assert allowed(first)
    people.disable("annotator")
    assert not allowed(first)
    people.enable("annotator")
    assert not allowed(first)
    second = site.cookie("annotator")
    people.sign_out(second["Cookie"].partition("=")[2])
    assert not allowed(second)
    third = site.cookie("annotator")
    site.clock[0] += SIGNED_IN
    assert not allowed(third)


@pytest.mark.parametrize("value", ["", "x", "a" * 43, "a" * 5000, "\xe9", '"quoted"'])
def test_a_made_up_cookie_is_nobody(site: Site, value: str) -> None:
    cookie = {b"Cookie": f"{site.cookie_name}={value}".encode("latin-1")}
    assert site.call("/label", headers=cookie).status_code == 401


def test_a_disabled_person_is_stopped_at_the_next_message(site: Site) -> None:
    headers = own(**site.cookie("annotator"))
    said = site.connect(
        headers, b"one", b"two", between=lambda: site.workbench.people.disable("annotator")
    )
    assert [m.get("bytes") for m in site.behind.messages] == [b"one"]
    assert said == [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1008}]


def test_only_the_guard_names_the_person_to_pages(site: Site) -> None:
    forged = {
        PERSON_HEADER: "3 x",
        PERSON_HEADER.replace("-", "_"): "3 x",
        PERSON_HEADER.title(): "3",
    }
    site.call("/label", headers=site.cookie("annotator") | forged)
    site.connect(own(**site.cookie("annotator")) | forged)
    for scope in site.behind.seen:
        named = [v for n, v in scope["headers"] if n.replace(b"_", b"-") == PERSON_HEADER.encode()]
        assert named == [f"1 {site.state.proof}".encode()]


# -------------------------------------------------------------------------------------------- proxies
def behind_a_proxy(site: Site) -> Site:
    return site.with_door(proxies=proxies_of(["10.0.0.5", "10.1.0.0/28"], "X-User"))


@pytest.mark.parametrize(
    ("client", "names", "status"),
    [
        (PROXY, ["Manager"], 200),
        (("10.1.0.3", 1), ["manager"], 200),
        (("::ffff:10.0.0.5", 1), ["manager"], 200),
        (HERE, ["manager"], 401),
        (("10.0.0.6", 1), ["manager"], 401),
        (PROXY, [], 401),
        (PROXY, [""], 401),
        (PROXY, ["manager", "manager"], 401),
        (PROXY, ["stranger"], 401),
        (PROXY, ["\xff"], 401),
    ],
)
def test_a_name_is_believed_from_a_listed_proxy_alone(
    site: Site, client: tuple[str, int], names: list[str], status: int
) -> None:
    site = behind_a_proxy(site)
    headers = [(b"X-User", name.encode("latin-1")) for name in names]
    assert site.call("/label", headers=headers, client=client).status_code == status


def test_a_forwarded_address_does_not_make_a_proxy(site: Site) -> None:
    site = behind_a_proxy(site)
    forged = {"X-User": "manager", "X-Forwarded-For": "10.0.0.5", "Forwarded": "for=10.0.0.5"}
    assert site.call("/label", headers=forged).status_code == 401


def test_a_disabled_person_is_nobody_for_the_proxy_too(site: Site) -> None:
    site = behind_a_proxy(site)
    site.workbench.people.disable("annotator")
    assert site.call("/label", headers={"X-User": "annotator"}, client=PROXY).status_code == 401


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        (HERE, "1.2.3.4", "127.0.0.1"),
        (PROXY, "1.2.3.4", "1.2.3.4"),
        (PROXY, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (PROXY, "6.6.6.6, 1.2.3.4, 10.1.0.2", "1.2.3.4"),
        (PROXY, "", "10.0.0.5"),
    ],
)
def test_failures_count_for_the_address_that_a_trusted_proxy_saw(
    client: tuple[str, int], forwarded: str, expected: str
) -> None:
    from starlette.datastructures import Headers

    proxies = proxies_of(["10.0.0.5", "10.1.0.0/28"], None)
    assert (
        proxies.client_of({"client": client}, Headers({"x-forwarded-for": forwarded})) == expected
    )
    assert not Proxies().trusts("127.0.0.1")


# ---------------------------------------------------------------------------------------- below a path
@pytest.mark.parametrize("sent", ["/birds/label", "/label"])
def test_a_base_path_works_whether_or_not_a_proxy_strips_it(site: Site, sent: str) -> None:
    site = site.below("/birds")
    assert site.call(sent, headers=site.cookie("manager")).status_code == 200
    assert site.behind.seen[-1]["path"] == "/birds/label"
    reply = site.call(sent, headers={"Accept": "text/html"})
    assert reply.headers["location"] == "/birds/alw/door?next=/birds/label"
    upload = sent.replace("/label", "/_stcore/upload_file")
    assert site.call(upload, headers=site.cookie("reviewer")).status_code == 403


# ----------------------------------------------------------------------------------- limits and headers
def test_headers_and_addresses_have_limits(site: Site) -> None:
    cookie = site.cookie("manager")
    assert site.call("/label", headers=cookie | {"X-Long": "x" * 20_000}).status_code == 431
    many = cookie | {f"X-{n}": "x" for n in range(limits.MOST_HEADERS)}
    assert site.call("/label", headers=many).status_code == 431
    assert site.call("/label?" + "x" * 5000, headers=cookie).status_code == 414
    twice = [*cookie.items(), ("Origin", BASE), ("Origin", BASE)]
    assert site.call("/label", headers=twice).status_code == 400
    assert site.behind.seen == []


@pytest.mark.parametrize("path", ["//evil.example/", "/a//b", "/a\\b", "/a/%2e%2e/b", "/a%0ab"])
def test_an_address_that_can_be_read_in_two_ways_is_refused(site: Site, path: str) -> None:
    headers = site.cookie("manager") | {"Accept": "text/html"}
    assert site.call(BASE + path, headers=headers).status_code == 400
    assert site.behind.seen == []


@pytest.mark.parametrize("role", list(PersonRole))
def test_bodies_have_a_limit_whether_or_not_their_length_is_told(
    site: Site, role: PersonRole
) -> None:
    headers = site.cookie(role.value) | {"Origin": BASE}

    async def chunks(count: int) -> Any:
        for _ in range(count):
            yield b"x" * 1024

    within, beyond = limits.MOST_BODY // 1024, limits.MOST_BODY // 1024 + 1
    for content, status in (
        (b"x" * limits.MOST_BODY, 200),
        (b"x" * (limits.MOST_BODY + 1), 413),
        (chunks(within), 200),
        (chunks(beyond), 413),
    ):
        reply = site.call("/alw/answer", "POST", headers=headers, content=content)
        assert reply.status_code == status
    assert (
        site.call("/alw/answer", "POST", headers=headers | {"Content-Length": "x"}).status_code
        == 400
    )
    assert len(site.behind.seen) == 2


def test_a_slow_body_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.01)

    async def slow() -> Any:
        yield b"x"
        await asyncio.sleep(30)

    headers = site.cookie("manager") | {"Origin": BASE}
    assert site.call("/alw/answer", "POST", headers=headers, content=slow()).status_code == 408
    assert site.behind.seen == []


def test_every_answer_has_the_headers_and_opens_nothing_to_other_servers(site: Site) -> None:
    for headers in ({}, site.cookie("manager")):
        reply = site.call("/media/x.png", headers=headers)
        assert "frame-ancestors 'self'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in reply.headers if name.startswith("access-control")]


# ------------------------------------------------------------------------------- the one-time token
def open_entrance(site: Site) -> Site:
    return site.with_door(entrance=Entrance("the-token"))


def page(site: Site, path: str, **headers: str) -> httpx.Response:
    return site.call(path, headers={"Accept": "text/html"} | headers)


def test_the_printed_address_works_once_and_leaves_the_address(site: Site) -> None:
    site = open_entrance(site)
    first = page(site, "/label?token=the-token&a=1")
    assert first.status_code == 303
    assert first.headers["location"] == "/alw/door/name?next=/label%3Fa%3D1"
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=lax" in first.headers["set-cookie"]
    second = page(site, "/label?token=the-token")
    assert second.headers["location"] == "/alw/door?said=used"
    assert "set-cookie" not in second.headers


def test_a_browser_that_is_signed_in_does_not_use_the_token_up(site: Site) -> None:
    site = open_entrance(site)
    cookie = site.cookie("manager")
    for _ in range(2):
        reply = page(site, "/label?token=the-token", **cookie)
        assert (reply.status_code, reply.headers["location"]) == (303, "/label")
    assert page(site, "/?token=the-token").headers["location"].startswith("/alw/door/name")


def test_the_one_person_of_this_machine_is_let_in_at_once(site: Site) -> None:
    site = open_entrance(site)
    for name in ("annotator", "reviewer"):
        site.workbench.people.disable(name)
    reply = page(site, "/?token=the-token")
    assert reply.headers["location"] == "/"
    cookie = {"Cookie": reply.headers["set-cookie"].partition(";")[0]}
    assert site.call("/label", headers=cookie).status_code == 200


@pytest.mark.parametrize("token", ["", "the-tokem", "the-token2", "\xe9"])
def test_a_wrong_token_opens_nothing_and_uses_nothing_up(site: Site, token: str) -> None:
    site = open_entrance(site)
    assert page(site, f"/?token={token}").headers["location"] == "/alw/door?said=used"
    fetched = page(site, "/?token=the-token", **{"Sec-Purpose": "prefetch"})
    assert fetched.headers["location"] == "/alw/door?said=used"
    assert page(site, "/?token=the-token").headers["location"].startswith("/alw/door/name")


def test_without_a_token_of_the_server_none_is_looked_at(site: Site) -> None:
    assert page(site, "/?token=x").headers["location"].startswith("/alw/door?next=")


def test_a_pass_ends_and_is_spent_once() -> None:
    entrance = Entrance("x")
    given = entrance.new_pass(NOW)
    late = NOW + timedelta(minutes=15)
    assert entrance.holds(given, NOW)
    assert not entrance.holds(given, late)
    assert not entrance.holds("other", NOW)
    assert entrance.spend(given, NOW)
    assert not entrance.spend(given, NOW)


def test_no_address_is_known_without_a_host() -> None:
    assert Addresses(()).named(None) == ()
