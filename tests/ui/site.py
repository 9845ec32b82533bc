"""A guarded application over a real store, as tests of the guard and of the door use it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from alworkbench.core.domain import (
    ClassList,
    LabelClass,
    PersonRole,
    ProjectFolder,
    ProjectSettings,
)
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.ui.event_loop import run
from tests.ui.fake_workbench import FakeWorkbench
from ui.door.addresses import addresses_of
from ui.door.guard import Guard
from ui.door.settings import Door
from ui.projects import Projects
from ui.routes import make_routes, our_routes
from ui.routes.answering import OurRoute
from ui.state import OF_PROJECTS, PREFIX, UiState

BASE = "http://127.0.0.1:8501"
HERE = ("127.0.0.1", 50_000)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Behind:
    """The application behind the guard: it counts what reaches it, and says who asked."""

    seen: list[Scope] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] != "websocket.disconnect":
                self.messages.append(message)
            return
        body = (await receive())["body"]
        head = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x-body", b"%d" % len(body))],
        }
        head["headers"] += [(b"access-control-allow-origin", b"*")]
        await send(head)
        await send({"type": "http.response.body", "body": b"behind"})


@dataclass
class Site:
    """A guarded application over a real store, with a clock that a test may set."""

    workbench: Workbench
    clock: list[datetime]
    door: Door
    behind: Behind = field(default_factory=Behind)
    has_routes: bool = False
    routed: Starlette | None = None

    def with_door(self, **changes: Any) -> Site:
        behind = replace(self.behind, seen=[], messages=[])
        return replace(self, door=replace(self.door, **changes), behind=behind)

    def guarded(self) -> Guard:
        """The guard in front of the counting application, or of our own routes."""
        if self.routed is not None:
            return Guard(self.routed, self.door)
        if self.has_routes:
            return Guard(Starlette(routes=make_routes(self.door)), self.door)
        return Guard(self.behind, self.door)

    def routed_once(self) -> Site:
        """With routes that keep what they remember from one request to the next."""
        return replace(self, routed=Starlette(routes=make_routes(self.door)))

    @property
    def state(self) -> UiState:
        """That of the first project."""
        return self.door.projects.all()[0].state()

    @property
    def cookie_name(self) -> str:
        """That of the first project."""
        return self.door.cookie(self.door.projects.all()[0])

    def below(self, base: str) -> Site:
        return self.with_door(projects=Projects.of(UiState(self.workbench, base)))

    def cookie(self, name: str) -> dict[str, str]:
        return {"Cookie": f"{self.cookie_name}={self.workbench.people.let_in(name)}"}

    def call(
        self,
        path: str,
        method: str = "GET",
        *,
        base: str = BASE,
        client: tuple[str, int] = HERE,
        **options: Any,
    ) -> httpx.Response:
        path = of_project(path, self.state)

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.guarded(), client=client)
            async with httpx.AsyncClient(transport=transport, base_url=base) as browser:
                return await browser.request(method, path, **options)

        return run(send())

    def connect(self, headers: dict[str, str], *sent: bytes, between: Any = None) -> list[Message]:
        """What the server says on a WebSocket with these headers, to which the browser sends messages."""
        scope = {
            "type": "websocket",
            "path": self.door.projects.base + "/_stcore/stream",
            "raw_path": b"/_stcore/stream",
            "query_string": b"",
            "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
            "client": HERE,
        }
        incoming: list[Message] = [{"type": "websocket.connect"}]
        incoming += [{"type": "websocket.receive", "bytes": each} for each in sent]
        incoming += [{"type": "websocket.disconnect", "code": 1000}]
        said: list[Message] = []

        async def receive() -> Message:
            if len(incoming) == 2 and between is not None:
                between()
            return incoming.pop(0)

        async def send(message: Message) -> None:
            said.append(message)

        run(self.guarded()(scope, receive, send))
        return said


def of_project(path: str, state: UiState) -> str:
    """Tests name the routes of the one project without it: `/alw/queue`. Below `/alw/p` they name it."""
    inside = path.removeprefix(PREFIX + "/")
    general = ("door", "modules", "p")
    if inside == path or re.split("[/?]", inside)[0] in general:
        return path
    return f"{OF_PROJECTS}/{state.key}/{inside}"


def path_of(route: OurRoute) -> str:
    """An address of the route; what it names in its path is not in any project."""
    return PREFIX + re.sub(r"\{\w+(:\w+)?\}", "0" * 64, route.path)


def paths_of_ours() -> list[str]:
    """An address of each route of ours."""
    with tempfile.TemporaryDirectory() as folder:
        return sorted({path_of(each) for each in our_routes(UiState(FakeWorkbench(Path(folder))))})


def own(**more: str) -> dict[str, str]:
    return {"Host": "127.0.0.1:8501", "Origin": BASE} | more


@pytest.fixture(scope="session")
def kept_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one person of each role, to be copied: making one takes longer."""
    folder = tmp_path_factory.mktemp("site")
    settings, classes = ProjectSettings("birds"), ClassList((LabelClass("owl"), LabelClass("jay")))
    with closing(create_store(folder, settings, classes, NOW)) as store:
        workbench = Workbench(ProjectFolder(folder), store, clock=lambda: NOW)
        for role in PersonRole:
            workbench.people.add(role.value, role)
    return folder


@pytest.fixture
def site(kept_site: Path, tmp_path: Path) -> Iterator[Site]:
    """A guarded application over a copy of the project."""
    shutil.copy(kept_site / "project.db", tmp_path / "project.db")
    clock = [NOW]
    with closing(open_store(tmp_path)) as store:
        workbench = Workbench(ProjectFolder(tmp_path), store, clock=lambda: clock[0])
        door = Door(Projects.of(UiState(workbench)), addresses_of("127.0.0.1", 8501, ()))
        yield Site(workbench, clock, door)
