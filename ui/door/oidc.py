"""Sign-in by an OpenID Connect provider (authorisation code flow with PKCE), by the library Authlib.

    GET /alw/door/oidc        leads to the provider
    GET /alw/door/oidc/back   the provider leads back here, with a code

The provider says who somebody is; the project says who may enter: the claim must be the name of an active
person. From then on our own cookie counts, as after a password. Streamlit's `st.login` is not used: its
cookie lasts 30 days whatever happens to the account, and pages can read it, but no route.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ui.door.provider import Oidc
from ui.door.settings import Door
from ui.door.signing_in import let_in_everywhere
from ui.refusal import Handler, Refused
from ui.state import PREFIX

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
)
"""Signatures with a public key; one with the client's secret, or none at all, is refused."""
LASTS = timedelta(minutes=10)
"""How long somebody may take at the provider."""
MOST_JOURNEYS = 1000
"""Sign-ins at the provider at the same time; the oldest is forgotten first."""
PROVIDER_SECONDS = 10.0

_WHERE = {False: "this project", True: "any project of this server"}

_log = logging.getLogger(__name__)


def oidc_routes(
    door: Door, oidc: Oidc, path: str, explained: Callable[[Handler], Handler]
) -> list[Route]:
    """The two routes, below `path`, the path of the door relative to the prefix of our routes.

    `explained` makes a page of what they refuse.
    """
    from authlib.integrations.starlette_client import OAuth

    registry: Any = OAuth()
    registry.register(
        "provider",
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "timeout": PROVIDER_SECONDS,
        },
    )
    routes = _Routes(door, oidc, registry.provider, path)
    return [
        Route(f"{path}/oidc", explained(routes.begin), methods=["GET"]),
        Route(f"{path}/oidc/back", explained(routes.back), methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _Journey:
    """Somebody on the way to the provider and back; one browser alone can end it."""

    browser: str
    ends: datetime
    wanted: str
    way_back: str
    nonce: str
    code_verifier: str


class _Routes:
    def __init__(self, door: Door, oidc: Oidc, client: Any, path: str) -> None:
        self._door, self._oidc, self._client, self._path = door, oidc, client, path
        self._journeys: OrderedDict[str, _Journey] = OrderedDict()  # by the state that comes back

    @property
    def _cookie(self) -> str:
        return f"alworkbench_oidc_{self._door.projects.browser_key}"

    async def begin(self, request: Request) -> Response:
        door, now = self._door, self._door.projects.now()
        named = door.addresses.named(request.headers.get("host"))
        way_back = named[0].origin + door.path(f"{PREFIX}{self._path}/oidc/back")
        try:
            await self._check_provider()
            made = await self._client.create_authorization_url(way_back)
        except Exception as problem:
            raise self._failed(problem) from problem
        browser = secrets.token_urlsafe(32)
        self._journeys[made["state"]] = _Journey(
            browser,
            now + LASTS,
            door.safe_next(request.query_params.get("next")),
            way_back,
            made["nonce"],
            made["code_verifier"],
        )
        while len(self._journeys) > MOST_JOURNEYS:
            self._journeys.popitem(last=False)
        response = RedirectResponse(made["url"], 303)
        door.put_cookie(response, request.scope, self._cookie, browser)
        return response

    async def back(self, request: Request) -> Response:
        door, now = self._door, self._door.projects.now()
        query = request.query_params
        journey = self._journeys.pop(query.get("state", ""), None)
        browser = request.cookies.get(self._cookie, "").encode()
        if (
            journey is None
            or not secrets.compare_digest(journey.browser.encode(), browser)
            or not journey.ends - LASTS <= now < journey.ends
        ):
            raise Refused(
                403, "journey", "This sign-in was not begun in this browser, or took too long."
            )
        try:
            if "error" in query or "code" not in query:
                raise ValueError("the provider refused")
            await self._check_provider()
            token = await self._client.fetch_access_token(
                redirect_uri=journey.way_back,
                code=query["code"],
                code_verifier=journey.code_verifier,
            )
            claims = await self._client.parse_id_token(token, nonce=journey.nonce)
            given = claims.get(self._oidc.claim)
        except Exception as problem:
            raise self._failed(problem) from problem
        unchecked = self._oidc.claim == "email" and claims.get("email_verified") is False
        if not isinstance(given, str) or unchecked:
            raise Refused(
                403, "claim", f"The provider does not say a checked {self._oidc.claim} of you."
            )
        found = await run_in_threadpool(let_in_everywhere, door.projects, given)
        if found.refused is not None:
            raise Refused(503, "project", str(found.refused), final=False)
        if not found.tokens:
            raise Refused(
                403,
                "person",
                f"{given} is no active person of {_WHERE[door.projects.several]}. Ask a manager to add this "
                f"name.",
            )
        response = RedirectResponse(journey.wanted, 303)
        for project, token in found.tokens:
            door.put_cookie(response, request.scope, door.cookie(project), token)
        door.drop_cookie(response, request.scope, self._cookie)
        return response

    async def _check_provider(self) -> None:
        """Read what the provider publishes. Raises ValueError where it calls itself by another name."""
        published = await self._client.load_server_metadata()
        if str(published.get("issuer", "")).rstrip("/") != self._oidc.issuer:
            raise ValueError("the provider calls itself by another name")
        offered = published.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = [each for each in offered if each in ALGORITHMS]
        published["id_token_signing_alg_values_supported"] = allowed or ["RS256"]

    def _failed(self, problem: Exception) -> Refused:
        """What the browser is told. The log names the kind alone: a provider's words may hold secrets."""
        _log.warning("the sign-in at %s failed: %s", self._oidc.host, type(problem).__name__)
        return Refused(
            502,
            "provider",
            f"The sign-in at {self._oidc.host} did not succeed. Go back and try again; the log of the server "
            f"names the kind of error.",
            final=False,
        )
