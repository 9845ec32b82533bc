"""What routes and pages of one project share: the open project, its running job, and where its pages are.

A server may serve several projects. Which one is meant belongs to each request and each drawing of a page,
never to the process: see `ui.projects`. Who labels belongs to a request, too: see `ui.door.visitor`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from ui.jobs import Jobs
from ui.markers import Markers
from ui.pictures_ahead import PicturesAhead

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

PREFIX = "/alw"
"""Below the base path, the path of our own routes; all others are Streamlit's."""
OF_PROJECTS = f"{PREFIX}/p"
"""Below it, behind the key of a project, are the routes of this project."""
PROJECT_PARAMETER = "p"
"""The parameter with which the address of a page names the project."""
LONGEST_KEY = 40
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class UiState:
    """What all pages and routes of a project share."""

    workbench: Workbench
    base: str = ""
    """The path below which a browser sees everything: empty, or like `/birds`."""
    proof: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """With this the guard signs what it tells pages of this project about a request."""
    key: str = ""
    """Names the project in addresses; by default that of its folder's name."""
    jobs: Jobs = field(init=False)
    """The computations of the project."""
    markers: Markers = field(init=False)
    """What open pages watch."""
    pictures: PicturesAhead = field(init=False)
    """Makes renditions before they are asked for."""

    def __post_init__(self) -> None:
        folder = self.workbench.session.folder.path
        object.__setattr__(self, "key", self.key or key_of(folder))
        object.__setattr__(self, "jobs", Jobs(self.workbench))
        object.__setattr__(self, "markers", Markers(self.workbench, self.jobs))
        object.__setattr__(self, "pictures", PicturesAhead(self.workbench.images.rendition))

    @property
    def routes(self) -> str:
        """The path of the routes of this project as a browser needs it."""
        return f"{self.base}{OF_PROJECTS}/{self.key}"

    @property
    def project_key(self) -> str:
        """Keeps cookies and unsent answers of two projects on one address apart in the browser."""
        return browser_key_of(self.workbench.session.folder.path)

    def page(self, url: str, **query: str) -> str:
        """The address of a page of this project as a browser needs it, with these parameters."""
        return page_address(self.base, url, self.key, **query)


def page_address(base: str, url: str, key: str, **query: str) -> str:
    """The address of a page that shows the project with this key."""
    return f"{base}/{url}?{urlencode({PROJECT_PARAMETER: key} | query)}"


def key_of(folder: Path) -> str:
    """A short text for addresses, from the name of the folder: it stays the same as long as the name does.

    Where the name is a link, it is the link's: what the link leads to may change.

    A name of lower-case letters, digits, hyphens and underscores is its own key. Of any other name, its plain
    part is followed by a part of the name's SHA-256: two names never share a key.
    """
    name = (folder.resolve() if folder.name in ("", "..") else folder).name
    if len(name) <= LONGEST_KEY and _PLAIN.fullmatch(name):
        return name
    plain = "-".join(_PLAIN.findall(name.lower()))[: LONGEST_KEY - 9].strip("-") or "project"
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def browser_key_of(folder: Path) -> str:
    """16 hexadecimal digits for the names of cookies and of unsent answers, from the folder's whole path."""
    path = str(folder.resolve())
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class OneProject(Protocol):
    """A project of a server."""

    def state(self) -> UiState:
        """Its state; it is opened if it was not."""


class AllProjects(Protocol):
    """The projects of a server: see `ui.projects`."""

    def get(self, key: str) -> OneProject | None:
        """The project with this key."""

    def only(self) -> OneProject | None:
        """The one project; None where there are none or several."""


_projects: AllProjects | None = None


def install(projects: AllProjects) -> None:
    """Make these the projects that pages of this process draw. Called once, before the first page."""
    global _projects
    _projects = projects


def installed() -> AllProjects:
    """The installed projects. Raises RuntimeError when the pages run without their application."""
    if _projects is None:
        raise RuntimeError(
            "No project is open in this process. Start the pages with `alworkbench serve`."
        )
    return _projects


def asked_project() -> str | None:
    """The key of the project that the page of this drawing names; None for the address alone."""
    import streamlit as st

    return st.query_params.get(PROJECT_PARAMETER)


def current() -> UiState:
    """The state of the project that this drawing shows: the named one, or the only one.

    Raises RuntimeError where there is none, and what opening it raises.
    """
    projects, asked = installed(), asked_project()
    found = projects.get(asked) if asked is not None else projects.only()
    if found is None:
        raise RuntimeError("The page names no project of this server.")
    return found.state()
