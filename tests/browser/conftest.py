"""A real server in a process of its own, and a real Chromium in front of it."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alworkbench.api import open_project
from alworkbench.core.domain import PersonRole, Role
from tests.browser.desk import COOKIES
from tests.browser.fake_server import serve_fake, serve_real
from tests.browser.forked import ForkedServer
from tests.ui.fake_people import TOKEN
from tests.ui.fake_workbench import FakeWorkbench

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from alworkbench.core.ports import Reader

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Project:
    """A project with an open round, served on one port over restarts."""

    folder: Path
    options: dict[str, Any]
    port: int = field(default_factory=free_port)
    process: ForkedServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serving(self) -> ForkedServer:
        """A process that begins to serve it."""
        options = {k: tuple(v) if k == "names" else v for k, v in self.options.items()}
        return ForkedServer(serve_fake, (self.folder, self.port, options), self.log_file)

    def start(self) -> None:
        self.process = self.serving()
        end = time.monotonic() + START_SECONDS
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail("the server did not start:\n" + self.log())
            time.sleep(0.1)
        if self.url not in COOKIES:
            key = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
            COOKIES[self.url] = [
                {"name": f"alworkbench_{key}", "value": self.sign_in(), "url": self.url}
            ]

    def sign_in(self) -> str:
        """The token of the manager."""
        return TOKEN

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """What a power cut of the process looks like: no handler runs."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    def stored(self) -> list[tuple[str, int, str, int | None]]:
        """(event id, item id, kind, class id) of every label that counts, in order."""
        return self.read().recorded()

    def durations(self) -> list[int | None]:
        return [label.duration_ms for label in self.read()._labels]

    def read(self) -> FakeWorkbench:
        options = {k: tuple(v) if k == "names" else v for k, v in self.options.items()}
        options.pop("open", None)
        copy = self.folder / "journal-copy.jsonl"
        shutil.copy(self.folder / "journal.jsonl", copy)
        return FakeWorkbench(self.folder, journal=copy, **options)


@dataclass
class RealProject(Project):
    """The same over the real service and its database, served as `alworkbench serve` does."""

    def serving(self) -> ForkedServer:
        return ForkedServer(serve_real, (self.folder, self.port), self.log_file)

    def sign_in(self) -> str:
        with open_project(self.folder) as workbench:
            workbench.people.add("annotator", PersonRole.MANAGER)
            return workbench.people.let_in("annotator")

    def stored(self) -> list[tuple[str, int, str, int | None]]:
        with self.reading() as reader:
            standing = sorted(reader.labels.current(Role.POOL).values(), key=lambda x: x.id)
            return [(x.event_id, x.item_id or 0, x.kind.value, x.class_id) for x in standing]

    def class_ids(self) -> list[int]:
        """In the order of the class list, which is that of the keys."""
        with self.reading() as reader:
            return [c.id or 0 for c in reader.classes.current().classes]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        from store import open_store

        with closing(open_store(self.folder)) as store, store.read() as reader:
            yield reader


@pytest.fixture(scope="session")
def real_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real project with an open round, to be copied."""
    from tests.browser.real_project import make_project as make_real

    folder = tmp_path_factory.mktemp("real") / "project"
    make_real(folder)
    return folder


@pytest.fixture
def real_project(real_folder: Path, tmp_path: Path) -> Iterator[RealProject]:
    folder = tmp_path / "moved"  # a project folder works wherever it is copied to
    shutil.copytree(real_folder, folder)
    project = RealProject(folder, {})
    project.start()
    yield project
    if project.process is not None and project.process.poll() is None:
        project.kill()


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Any]:
    made: list[Project] = []

    def make(**options: Any) -> Project:
        project = Project(tmp_path, options)
        made.append(project)
        project.start()
        return project

    yield make
    for project in made:
        if project.process is not None and project.process.poll() is None:
            project.kill()


@pytest.fixture
def project(make_project: Any) -> Project:
    """Ten images to label."""
    made: Project = make_project(batch_size=10)
    return made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        line = f"BROWSER TESTS SKIPPED: none of {', '.join(CHROMIUM_NAMES)} is installed."
        print(f"\n{line}", file=sys.stderr)
        pytest.skip(line)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, warnings.catch_warnings():
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()
