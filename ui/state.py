"""What routes and pages of one process share: the open project, who labels, the running job."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ui.jobs import Jobs

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

DEFAULT_ANNOTATOR = "annotator"


@dataclass(frozen=True, slots=True)
class UiState:
    """What all pages and routes share."""

    workbench: Workbench
    annotator: str = DEFAULT_ANNOTATOR
    """Who answers, as the server knows it; a request never says who it is."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """Proof that a request comes from a page of this very process."""
    jobs: Jobs = field(init=False)
    """The computations of this process."""
    allowed_hosts: tuple[str, ...] | None = ("127.0.0.1", "localhost", "::1")
    """Names under which the server may be addressed; None allows any (a server on a network)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", Jobs(self.workbench.session.folder.path))

    @property
    def project_key(self) -> str:
        """Keeps unsent answers of two projects on one address apart in the browser."""
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
