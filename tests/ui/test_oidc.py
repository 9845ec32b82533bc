"""Sign-in by a provider: a fake one on loopback, honest at first, then lying in every way we know."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import InvalidServing
from tests.ui.site import Site, kept_site, site
from ui.door.oidc import LASTS
from ui.door.provider import Oidc, oidc_of
from ui.door.proxies import Proxies
from ui.serve import entrance_of

pytest.importorskip("authlib")

__all__ = ["kept_site", "site"]

CLIENT, SECRET, EMAIL = "birds", "the-secret", "ada@example.org"


@dataclass
class Provider:
    """What the fake provider says; a test changes it."""

    address: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    tokens: int = 0
    challenges: dict[str, dict[str, str]] = field(default_factory=dict)

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.address,
            "sub": "1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": EMAIL,
            "email_verified": True,
        } | self.claims
        if self.algorithm == "none":
            parts = ({"alg": "none"}, claims)
            return ".".join([*(_encoded(json.dumps(p).encode()) for p in parts), ""])
        from joserfc import jwt
        from joserfc.jwk import OctKey

        if self.algorithm == "HS256":  # with a secret that the client knows
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET * 4))
        return jwt.encode({"alg": "RS256", "kid": "k"}, claims, _key(self.algorithm))


_KEYS: dict[str, Any] = {}


def _key(name: str) -> Any:
    from joserfc.jwk import RSAKey

    if name not in _KEYS:
        _KEYS[name] = RSAKey.generate_key(2048, {"kid": "k"})
    return _KEYS[name]


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        if self.path == "/.well-known/openid-configuration":
            here = self.provider.address
            self.reply(
                {
                    "issuer": here,
                    "authorization_endpoint": f"{here}/authorize",
                    "token_endpoint": f"{here}/token",
                    "jwks_uri": f"{here}/keys",
                    "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                }
                | self.provider.metadata
            )
        else:
            self.reply({"keys": [_key("RS256").as_dict(private=False)]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = dict(parse_qsl(body))
        begun = self.provider.challenges.pop(given.get("code", ""), None)
        client = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
        hashed = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if (
            begun is None
            or client != f"{CLIENT}:{SECRET}"
            or _encoded(hashed) != begun["challenge"]
        ):
            self.reply({"error": "invalid_grant"}, 400)
            return
        self.provider.tokens += 1
        token = self.provider.id_token(begun["nonce"])
        self.reply({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def reply(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        return


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()
    handler = type("Bound", (Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as found:
        yield found


@pytest.fixture
def door(site: Site, provider: Provider) -> Site:
    """The site with the provider, and Ada as a person."""
    site.workbench.people.add(EMAIL, PersonRole.ANNOTATOR)
    oidc = oidc_of(provider.address, CLIENT, "email", SECRET)
    return replace(site.with_door(oidc=oidc), has_routes=True).routed_once()


def begin(door: Site, wanted: str = "/label") -> tuple[dict[str, str], dict[str, str]]:
    """What is sent to the provider, and the cookie of the browser."""
    reply = door.call(f"/alw/door/oidc?next={wanted}")
    assert reply.status_code == 303, reply.text
    sent = dict(parse_qsl(urlsplit(reply.headers["location"]).query))
    return sent, {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


def agree(provider: Provider, sent: dict[str, str], code: str = "code-1") -> str:
    """The person signs in at the provider: the address to which it leads back."""
    provider.challenges[code] = {"challenge": sent["code_challenge"], "nonce": sent["nonce"]}
    return f"/alw/door/oidc/back?code={code}&state={sent['state']}"


def come_back(door: Site, provider: Provider) -> httpx.Response:
    sent, cookie = begin(door)
    return door.call(agree(provider, sent), headers=cookie)


def test_a_person_whom_the_provider_knows_is_let_in(door: Site, provider: Provider) -> None:
    shown = door.call("/alw/door?next=/label").text
    assert f"Sign in with 127.0.0.1:{urlsplit(provider.address).port}" in shown
    assert 'type="password"' not in shown
    sent, cookie = begin(door)
    assert sent["redirect_uri"] == "http://127.0.0.1:8501/alw/door/oidc/back"
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    there = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    reply = door.call(agree(provider, sent), headers=cookie | there)
    assert (reply.status_code, reply.headers["location"]) == (303, "/label")
    own = next(
        v for v in reply.headers.get_list("set-cookie") if v.startswith(door.cookie_name + "=")
    )
    account = door.call("/alw/door/you", headers={"Cookie": own.partition(";")[0]})
    assert EMAIL in account.text


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "other"}},
    "another audience": {"claims": {"aud": "other"}},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "expired": {"claims": {"exp": 1}},
    "no subject": {"claims": {"sub": None}},
    "unsigned": {"algorithm": "none"},
    "signed with the client's secret": {"algorithm": "HS256"},
    "signed with another key": {"algorithm": "RS256-other"},
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_token_that_is_not_for_us_lets_nobody_in(
    door: Site, provider: Provider, lie: str
) -> None:
    sent, cookie = begin(door)
    for name, value in LIES[lie].items():
        setattr(provider, name, value)
    reply = door.call(agree(provider, sent), headers=cookie)
    assert (reply.status_code, provider.tokens) == (502, 1)
    assert door.cookie_name not in str(reply.headers.get_list("set-cookie"))


def test_a_provider_that_calls_itself_by_another_name_is_not_used(
    door: Site, provider: Provider
) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    assert door.call("/alw/door/oidc").status_code == 502


@pytest.mark.parametrize(
    "claims",
    [{"email": "eve@example.org"}, {"email": None}, {"email": 3}, {"email_verified": False}],
)
def test_who_is_no_active_person_stays_outside(
    door: Site, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    reply = come_back(door, provider)
    assert reply.status_code == 403
    assert "Sign in with" in reply.text
    assert 'role="alert"' in reply.text
    assert provider.tokens == 1


def test_a_disabled_person_stays_outside(door: Site, provider: Provider) -> None:
    door.workbench.people.disable(EMAIL)
    assert come_back(door, provider).status_code == 403


def test_a_journey_is_ended_once_in_time_and_by_the_browser_that_began_it(
    door: Site, provider: Provider
) -> None:
    sent, cookie = begin(door)
    assert door.call(agree(provider, sent)).status_code == 403  # another browser
    assert door.call(agree(provider, sent), headers=cookie).status_code == 403  # it is used up
    sent, cookie = begin(door)
    assert door.call(agree(provider, sent), headers=cookie).status_code == 303
    assert door.call(agree(provider, sent), headers=cookie).status_code == 403
    sent, cookie = begin(door)
    door.clock[0] += LASTS
    assert door.call(agree(provider, sent), headers=cookie).status_code == 403
    sent, cookie = begin(door)
    back = f"/alw/door/oidc/back?error=access_denied&state={sent['state']}"
    assert door.call(back, headers=cookie).status_code == 502
    door.clock[0] -= timedelta(hours=1)
    assert come_back(door, provider).status_code == 303


def test_after_the_provider_the_person_gets_to_pages_of_this_server_alone(
    door: Site, provider: Provider
) -> None:
    sent, cookie = begin(door, "//evil.example")
    assert door.call(agree(provider, sent), headers=cookie).headers["location"] == "/"


def test_a_provider_that_does_not_answer_is_said(door: Site) -> None:
    dead = Oidc("http://127.0.0.1:9", CLIENT, SECRET)
    reply = door.with_door(oidc=dead).routed_once().call("/alw/door/oidc")
    assert reply.status_code == 502
    assert SECRET not in repr(dead)


@pytest.mark.parametrize(
    ("issuer", "client", "secret"),
    [
        ("https://id.example", None, SECRET),
        (None, CLIENT, SECRET),
        ("https://id.example", CLIENT, None),
        ("https://id.example", CLIENT, ""),
        ("http://id.example", CLIENT, SECRET),
        ("id.example", CLIENT, SECRET),
    ],
)
def test_a_provider_needs_its_address_and_the_client(
    issuer: str | None, client: str | None, secret: str | None
) -> None:
    with pytest.raises(InvalidServing):
        oidc_of(issuer, client, "email", secret)


def test_with_a_provider_other_machines_may_be_served(site: Site) -> None:
    oidc = Oidc("https://id.example", CLIENT, SECRET)
    assert entrance_of(site.door.projects, "0.0.0.0", Proxies(), oidc).token is None
    assert oidc_of(None, None, "email", None) is None
