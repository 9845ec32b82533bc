"""The projects of one server: those of a home folder, or those that were named at the start."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.core.errors import WorkbenchError
from alworkbench.project.project_folders import projects_in
from alworkbench.project.session import utc_now
from ui.served import MakeWorker, Open, Served, still_alive
from ui.state import UiState, browser_key_of, installed, key_of

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

LOOK_SECONDS = 5.0
"""After so long, the home folder is read again."""
LEAVE_SECONDS = 5.0
"""How long a computation of a project is waited for whose folder was moved or removed."""
CLOSE_SECONDS = 20.0
"""How long the end of the server waits for threads that close such projects."""

_log = logging.getLogger(__name__)


class Projects:
    """All projects of one server, by their keys."""

    def __init__(
        self,
        opening: Open,
        folders: Sequence[Path] = (),
        home: Path | None = None,
        *,
        base: str = "",
        make_worker: MakeWorker | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`folders` are served, or else every project that is a direct subfolder of `home`."""
        self.home = home
        self.base = base
        self.now = clock
        self.proof = secrets.token_urlsafe(32)
        """With this the guard signs what it tells pages about a guest."""
        self._opening = opening
        self._folders = tuple(folders)
        self._make_worker = make_worker
        self._running = False
        self._found: dict[str, Served] = {}
        self._leaving: list[threading.Thread] = []
        self._read_until = 0.0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, *states: UiState) -> Projects:
        """These open projects. The clock is that of the first."""

        def unused(folder: Path) -> Workbench:
            raise AssertionError(f"{folder} is open")

        base = states[0].base if states else ""
        made = cls(unused, base=base, clock=states[0].workbench.session.now if states else utc_now)
        made._found = {each.key: Served.over(each) for each in states}
        made._folders = tuple(each.folder for each in made._found.values())
        made._read_until = float("inf")
        return made

    @property
    def several(self) -> bool:
        """Whether there may be more than one project: the address of a page then names its project."""
        return self.home is not None or len(self._folders) != 1

    @cached_property
    def browser_key(self) -> str:
        """Keeps cookies of two servers on one host apart in the browser."""
        if not self.several:
            return browser_key_of(self._folders[0])
        folders = [self.home] if self.home is not None else self._folders
        text = "\n".join(browser_key_of(folder) for folder in folders)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def all(self) -> list[Served]:
        """All projects, by the names of their folders."""
        with self._lock:
            if time.monotonic() >= self._read_until:
                self._look()
                # Projects that were named at the start stay what they are.
                again = time.monotonic() + LOOK_SECONDS
                self._read_until = float("inf") if self.home is None else again
            return list(self._found.values())

    def get(self, key: str) -> Served | None:
        """The project with this key; None for a key that no project has."""
        return next((each for each in self.all() if each.key == key), None)

    def only(self) -> Served | None:
        """The one project; None where there are none or several."""
        found = self.all()
        return found[0] if len(found) == 1 else None

    def with_passwords(self) -> list[Served]:
        """The projects that no guest may enter, since somebody has a password there. Opens all.

        Without those that cannot be read: Home says why.
        """
        found = []
        for each in self.all():
            with suppress(WorkbenchError):
                found += [] if each.takes_guests() else [each]
        return found

    def look_again(self) -> None:
        """Read the home folder again at the next question: a project was made."""
        if self.home is not None:
            with self._lock:
                self._read_until = 0.0

    def watch(self, project: Served) -> None:
        """Take up the jobs of this project, if the server runs. Raises what opening it raises."""
        if self._running:
            project.watch(self._make_worker)

    def start(self) -> None:
        """The server runs: projects that were named at the start are watched now, others when first used."""
        self._running = True
        if self.home is not None:
            return
        for each in self.all():
            if each.trouble() is None:
                each.watch(self._make_worker)

    def stop(self, seconds: float) -> None:
        """End the threads and computations of all projects at the same time."""
        self._running = False
        with self._lock:
            projects = list(self._found.values())
        if projects:
            with ThreadPoolExecutor(max_workers=len(projects)) as pool:
                list(pool.map(lambda each: each.stop(seconds), projects))

    def close(self) -> None:
        """Close all stores. No project is opened again."""
        with self._lock:
            projects, leaving = list(self._found.values()), self._leaving
        for each in projects:
            each.close()
        if (name := still_alive(leaving, CLOSE_SECONDS)) is not None:
            _log.warning("the server ends although %s goes on", name)

    # ------------------------------------------------------------------------------------- reading
    def _look(self) -> None:
        """Find the projects as the disk has them now; those that are known stay what they are.

        One that has left its place is closed. One that cannot be read now stays: its people stay signed in.
        """
        try:
            folders = list(self._folders) if self.home is None else projects_in(self.home)
        except OSError as error:
            _log.warning("the home folder cannot be read, so the known projects stay: %s", error)
            return
        left = [each for each in self._found.values() if each.has_left]
        stay = {each.folder: each for each in self._found.values() if each not in left}
        self._let_go(left)
        keys = [key_of(folder) for folder in folders]
        found = []
        for folder, key in zip(folders, keys, strict=True):
            # Two folders of one name have their keys from their paths, whichever was named first.
            own = key if keys.count(key) == 1 else f"{key}-{browser_key_of(folder)[:8]}"
            served = stay.pop(folder, None)
            found.append(
                served or Served(own, folder, self.base, self._opening, after=self._leaving)
            )
        found += [each for each in stay.values() if each.opened is not None]
        if self.home is not None:
            found.sort(key=lambda each: each.folder)
        self._found = {each.key: each for each in found}

    def _let_go(self, left: list[Served]) -> None:
        """Stop and close these projects, each in a thread. Who opens one again at another place waits for it.

        The threads end with the process: `close` waits for them for CLOSE_SECONDS.
        """
        self._leaving = [each for each in self._leaving if each.is_alive()]
        for each in left:
            _log.warning("the project in %s is not there any more, and is closed", each.folder)
            thread = threading.Thread(
                target=_end, args=(each,), name=f"closing-{each.key}", daemon=True
            )
            thread.start()
            self._leaving.append(thread)


def _end(project: Served) -> None:
    try:
        project.stop(
            LEAVE_SECONDS, "the folder of the project was moved or removed; start it again"
        )
    finally:
        project.close()


def served() -> Projects:
    """The projects of this process. Raises RuntimeError when the pages run without their application."""
    found = installed()
    if not isinstance(found, Projects):
        raise RuntimeError("Something else than the projects of a server was installed.")
    return found
