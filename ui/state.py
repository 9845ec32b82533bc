"""What routes and pages of one process share: the open project and the running job.

Who labels belongs to a request, not to the process: see `ui.door.visitor`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ui.jobs import Jobs
from ui.markers import Markers
from ui.pictures_ahead import PicturesAhead

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

PREFIX = "/alw"
"""Below the base path, the path of our own routes; all others are Streamlit's."""


@dataclass(frozen=True, slots=True)
class UiState:
    """What all pages and routes share."""

    workbench: Workbench
    base: str = ""
    """The path below which a browser sees everything: empty, or like `/birds`."""
    proof: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """With this the guard signs what it tells pages about a request."""
    jobs: Jobs = field(init=False)
    """The computations of the project."""
    markers: Markers = field(init=False)
    """What open pages watch."""
    pictures: PicturesAhead = field(init=False)
    """Makes renditions before they are asked for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", Jobs(self.workbench))
        object.__setattr__(self, "markers", Markers(self.workbench, self.jobs))
        object.__setattr__(self, "pictures", PicturesAhead(self.workbench.images.rendition))

    @property
    def routes(self) -> str:
        """The path of our own routes as a browser needs it."""
        return self.base + PREFIX

    @property
    def project_key(self) -> str:
        """Keeps cookies and unsent answers of two projects on one address apart in the browser."""
        path = str(self.workbench.session.folder.path.resolve())
        return hashlib.sha256(path.encode()).hexdigest()[:16]


_current: UiState | None = None


def install(state: UiState) -> None:
    """Make `state` the one that pages of this process draw. Called once, before the first page."""
    global _current
    _current = state


def current() -> UiState:
    """The installed state. Raises RuntimeError when the pages run without their application."""
    if _current is None:
        raise RuntimeError(
            "No project is open in this process. Start the pages with `alworkbench serve`."
        )
    return _current
