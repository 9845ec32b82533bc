"""How one server is reached and who may enter: the settings of the guard and of the door's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from alworkbench.core.errors import ProjectError, WorkbenchError
from ui.door.addresses import Addresses
from ui.door.entrance import Entrance
from ui.door.provider import Oidc
from ui.door.proxies import Proxies
from ui.door.visitor import Visit, Visitor
from ui.projects import Projects
from ui.served import Served
from ui.state import OF_PROJECTS, PREFIX, PROJECT_PARAMETER

DOOR = f"{PREFIX}/door"


@dataclass(frozen=True, slots=True)
class Door:
    """What guard and pages of the door share."""

    projects: Projects
    addresses: Addresses
    proxies: Proxies = field(default_factory=Proxies)
    entrance: Entrance = field(default_factory=lambda: Entrance(None))
    oidc: Oidc | None = None

    def cookie(self, project: Served) -> str:
        """The name of the cookie; cookies of one host are shared by its ports, so it names the project."""
        return f"alworkbench_{project.browser_key}"

    @property
    def guest_cookie(self) -> str:
        """The name of the cookie of a guest."""
        return f"alworkbench_guest_{self.projects.browser_key}"

    @property
    def pass_cookie(self) -> str:
        """The name of the cookie that holds a pass."""
        return f"alworkbench_pass_{self.projects.browser_key}"

    def path(self, inside: str) -> str:
        """A path of this server as the browser needs it."""
        return self.projects.base + inside

    def safe_next(self, wanted: str | None) -> str:
        """Where to go after the door: a page of this server, whatever the address says."""
        home = f"{self.projects.base}/"
        if wanted is None or not wanted.startswith(home) or not wanted.isprintable():
            return home
        return home if "//" in wanted or "\\" in wanted else wanted

    # -------------------------------------------------------------------------------- which project
    def key_of_route(self, inside: str) -> str | None:
        """The key that the path of a route names, below the base path; None for any other path."""
        if not inside.startswith(f"{OF_PROJECTS}/"):
            return None
        return inside.removeprefix(f"{OF_PROJECTS}/").partition("/")[0]

    def named_by(self, address: str) -> Served | None:
        """The project that the address of a page names, or else the only one of a server of one project."""
        keys = parse_qs(urlsplit(address).query).get(PROJECT_PARAMETER)
        if keys:
            return self.projects.get(keys[0])
        return None if self.projects.several else self.projects.only()

    def names_a_project(self, address: str) -> bool:
        """Whether the address of a page names a project, one of this server or not."""
        return PROJECT_PARAMETER in parse_qs(urlsplit(address).query)

    def lets_guests_in(self, project: Served) -> bool:
        """Whether who brought the printed token may enter. Opens the project, and raises what that raises."""
        return self.entrance.token is not None and project.takes_guests()

    def has_accounts(self) -> bool | None:
        """Whether anybody has a password in an open project; None where only one that is not open may tell.

        No project is opened: whoever is not signed in asks this, too.
        """
        projects = self.projects.all()
        for project in projects:
            try:
                if project.opened is not None and not project.takes_guests():
                    return True
            except WorkbenchError:
                continue  # Home says why
        return None if any(project.opened is None for project in projects) else False

    # ------------------------------------------------------------------------------------- who asks
    def identify(self, scope: Scope, project: Served) -> Visitor | None:
        """Who a request comes from in this project; None for nobody who may enter. Reads the store."""
        name = self.proxies.named_person(scope, Headers(scope=scope))
        if name is not None:
            state = project.state()
            person = state.workbench.people.named(name)
            return None if person is None else Visitor(person, None, state)
        token = HTTPConnection(scope).cookies.get(self.cookie(project))
        if not token:
            return None
        state = project.state()
        person = state.workbench.people.who(token)
        return None if person is None else Visitor(person, token, state)

    def visit(self, scope: Scope) -> Visit:
        """Everything that a request may enter. A project that cannot be read is left out.

        Raises its ProjectError where there is nothing else: a busy or full database passes.
        """
        found: dict[str, Visitor] = {}
        troubles: list[ProjectError] = []
        for project in self.projects.all():
            try:
                visitor = self.identify(scope, project)
            except ProjectError as error:
                troubles.append(error)
                continue
            if visitor is not None:
                found[project.key] = visitor
        visit = Visit(found, self.guest(scope))
        if troubles and not visit:
            raise troubles[0]
        return visit

    def guest(self, scope: Scope) -> str | None:
        """The name of the guest whose browser asks; None for any other browser."""
        return self.entrance.guest(HTTPConnection(scope).cookies.get(self.guest_cookie, ""))

    def people_without_password(self) -> list[str]:
        """Names of active people of all projects that guests may enter, each once."""
        names: dict[str, None] = {}
        for project in self.projects.all():
            try:
                if self.lets_guests_in(project):
                    people = project.state().workbench.people.all()
                    names |= {p.name: None for p in people if p.active and not p.has_password}
            except WorkbenchError:
                continue  # Home says why it cannot be opened
        return list(names)

    # -------------------------------------------------------------------------------------- cookies
    def put_cookie(self, response: Response, scope: Scope, name: str, value: str) -> None:
        """Let the browser keep a text that no script can read.

        Lax and not Strict: a link to a page in a message or a notebook shall not end at the door. Everything
        that changes something is a request with an Origin, which must be this server's.
        """
        response.set_cookie(
            name,
            value,
            max_age=int(timedelta(days=30).total_seconds()),
            path=self.projects.base or "/",
            secure=self.is_secure(scope),
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response, scope: Scope, name: str) -> None:
        """Let the browser forget it."""
        response.delete_cookie(
            name, self.projects.base or "/", None, self.is_secure(scope), True, "lax"
        )

    def is_secure(self, scope: Scope) -> bool:
        """Whether the browser reached the server by https."""
        named = self.addresses.named(Headers(scope=scope).get("host"))
        return bool(named) and all(each.scheme == "https" for each in named)
