"""All projects of a folder on one server, as `alworkbench serve --home` serves them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from alworkbench.api import open_project
from alworkbench.core.domain import PersonRole
from tests.browser.conftest import RealProject
from tests.browser.fake_server import serve_home
from tests.browser.forked import ForkedServer
from ui.state import browser_key_of


@dataclass
class Home(RealProject):
    """A served folder of projects. Nobody is signed in to all: each project has a cookie of its own."""

    def serving(self) -> ForkedServer:
        return ForkedServer(serve_home, (self.folder, self.port), self.log_file)

    def sign_in(self) -> str:
        return "nobody"

    def add(self, source: Path, key: str, name: str, password: str) -> dict[str, str]:
        """Copy a project into the folder; returns the cookie of this person, its manager, in a browser."""
        shutil.copytree(source, self.folder / key)
        with open_project(self.folder / key) as workbench:
            workbench.people.add(name, PersonRole.MANAGER, password)
            token = workbench.people.let_in(name)
        cookie = f"alworkbench_{browser_key_of(self.folder / key)}"
        return {"name": cookie, "value": token, "url": self.url}
