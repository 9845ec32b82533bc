"""How one server is reached and who may enter: the settings of the guard and of the door's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from ui.door.addresses import Addresses
from ui.door.entrance import Entrance
from ui.door.provider import Oidc
from ui.door.proxies import Proxies
from ui.door.visitor import Visitor
from ui.state import PREFIX, UiState

DOOR = f"{PREFIX}/door"


@dataclass(frozen=True, slots=True)
class Door:
    """What guard and pages of the door share."""

    state: UiState
    addresses: Addresses
    proxies: Proxies = field(default_factory=Proxies)
    entrance: Entrance = field(default_factory=lambda: Entrance(None))
    oidc: Oidc | None = None

    @property
    def cookie(self) -> str:
        """The name of the cookie; cookies of one host are shared by its ports, so it names the project."""
        return f"alworkbench_{self.state.project_key}"

    @property
    def pass_cookie(self) -> str:
        """The name of the cookie that holds a pass."""
        return f"alworkbench_pass_{self.state.project_key}"

    def path(self, inside: str) -> str:
        """A path of this server as the browser needs it."""
        return self.state.base + inside

    def safe_next(self, wanted: str | None) -> str:
        """Where to go after the door: a page of this server, whatever the address says."""
        home = f"{self.state.base}/"
        if wanted is None or not wanted.startswith(home) or not wanted.isprintable():
            return home
        return home if "//" in wanted or "\\" in wanted else wanted

    def identify(self, scope: Scope) -> Visitor | None:
        """Who a request comes from; None for nobody who may enter. Reads the store."""
        people = self.state.workbench.people
        name = self.proxies.named_person(scope, Headers(scope=scope))
        if name is not None:
            person = people.named(name)
            return None if person is None else Visitor(person, None)
        token = HTTPConnection(scope).cookies.get(self.cookie)
        if not token or (person := people.who(token)) is None:
            return None
        return Visitor(person, token)

    def put_cookie(self, response: Response, scope: Scope, name: str, value: str) -> None:
        """Let the browser keep a text that no script can read.

        Lax and not Strict: a link to a page in a message or a notebook shall not end at the door. Everything
        that changes something is a request with an Origin, which must be this server's.
        """
        response.set_cookie(
            name,
            value,
            max_age=int(timedelta(days=30).total_seconds()),
            path=self.state.base or "/",
            secure=self.is_secure(scope),
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response, scope: Scope, name: str) -> None:
        """Let the browser forget it."""
        response.delete_cookie(
            name, self.state.base or "/", None, self.is_secure(scope), True, "lax"
        )

    def is_secure(self, scope: Scope) -> bool:
        """Whether the browser reached the server by https."""
        named = self.addresses.named(Headers(scope=scope).get("host"))
        return bool(named) and all(each.scheme == "https" for each in named)
