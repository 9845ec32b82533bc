"""One project of a server: opened when it is first needed, it stays open.

One that cannot be opened says why, is tried again after some seconds, and stops nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import (
    ProjectClosing,
    ProjectMissing,
    ProjectUnavailable,
    WorkbenchError,
)
from ui.jobs import SHUT_DOWN
from ui.state import UiState, browser_key_of

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench
    from ui.job_worker import JobWorker

AGAIN_SECONDS = 5.0
"""After so long, a project that could not be opened is tried again."""
AFTER_SECONDS = 5.0
"""So long does the opening of a project wait for the threads that close it under another name."""

_log = logging.getLogger(__name__)
Open = Callable[[Path], "Workbench"]
MakeWorker = Callable[["Workbench"], "JobWorker"]


class Served:
    """One project of a server; for several threads."""

    def __init__(
        self,
        key: str,
        folder: Path,
        base: str,
        opening: Open,
        after: Sequence[threading.Thread] = (),
    ) -> None:
        """It is opened once the threads `after` have ended: they close what it may be under another name.

        Where one goes on for more than AFTER_SECONDS, opening is refused, and tried again later.
        """
        self.key = key
        """Names it in addresses."""
        self.folder = folder
        self.browser_key = browser_key_of(folder)
        """Names its cookies."""
        self.maker: tuple[str, int] | None = None
        """Who made this project here and has not entered it yet: key of a project, and a person there."""
        self._base = base
        self._opening = opening
        self._after = tuple(after)
        self._records: tuple[str, int, int] | None = None
        self._state: UiState | None = None
        self._refused: tuple[float, WorkbenchError] | None = None
        self._lock = threading.Lock()
        self._worker: JobWorker | None = None
        self._watched = False
        self._stopped = False

    @classmethod
    def over(cls, state: UiState) -> Served:
        """A project that is open already."""

        def unused(_folder: Path) -> Workbench:
            raise AssertionError("the project is open")

        made = cls(state.key, state.workbench.session.folder.path, state.base, unused)
        made._state = state
        return made

    @property
    def opened(self) -> UiState | None:
        """The state, where the project was opened."""
        return self._state

    def state(self) -> UiState:
        """The state of the project, which is opened now if it was not. Raises what opening it raises."""
        if (state := self._state) is not None:
            return state
        with self._lock:
            if self._state is None:
                if self._refused is not None and time.monotonic() < self._refused[0]:
                    raise self._refused[1]
                self._state = self._open()
            return self._state

    def trouble(self) -> str | None:
        """Why the project cannot be opened, as a sentence; None where it is open now."""
        try:
            self.state()
        except WorkbenchError as error:
            return str(error)
        return None

    def takes_guests(self) -> bool:
        """Whether nobody has a password now: then whoever brings the printed token may enter.

        The people are read anew each time, since passwords are set while the server runs. Raises what opening
        and reading raise.
        """
        people = self.state().workbench.people.all()
        return not any(each.active and each.has_password for each in people)

    @property
    def has_left(self) -> bool:
        """Whether the records that were opened are not at their place any more: removed, moved or replaced.

        False for a project that was not opened, and where the disk does not tell now.
        """
        if self._records is None:
            return False
        try:
            return _records(self.folder) != self._records
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def _open(self) -> UiState:
        if (name := still_alive(self._after, AFTER_SECONDS)) is not None:
            _log.warning("the project in %s is not opened while %s goes on", self.folder, name)
            closing = ProjectClosing(self.folder)
            self._refused = (time.monotonic() + AGAIN_SECONDS, closing)
            raise closing
        try:
            workbench = self._opening(self.folder)
            try:
                self._records = _records(self.folder)
                workbench.people.all()  # one whose records cannot be read is not open
                return UiState(workbench, self._base, key=self.key)
            except BaseException:
                workbench.close()
                raise
        except WorkbenchError as error:
            self._refused = (time.monotonic() + AGAIN_SECONDS, error)
            raise
        except Exception as error:
            _log.exception("the project in %s could not be opened", self.folder)
            unknown = ProjectUnavailable(self.folder, type(error).__name__)
            self._refused = (time.monotonic() + AGAIN_SECONDS, unknown)
            raise unknown from error

    def watch(self, make: MakeWorker | None) -> None:
        """From now on take up the jobs of this project that are due. `make` makes what runs them.

        A second call changes nothing, nor does one after `stop`. The process that computes starts with the
        first job.
        """
        state = self.state()
        with self._lock:
            if self._watched or self._stopped or self._state is None:
                return
            self._watched = True
            self._worker = None if make is None else make(state.workbench)
            state.jobs.watch(self._worker)

    def stop(self, seconds: float, why: str = SHUT_DOWN) -> None:
        """End its threads and its computation, each within these seconds. `why` is what its jobs record."""
        self._stopped = True
        with self._lock:  # whoever begins to watch it now has ended, or does not begin
            state, worker = self._state, self._worker
        if state is None:
            return
        state.pictures.stop(seconds)
        state.jobs.stop(seconds, why)
        if worker is not None:
            worker.kill()
            state.jobs.wait(seconds)
            worker.close()

    def close(self) -> None:
        """Close the store. The project is never opened again."""
        with self._lock:
            state, self._state = self._state, None
            self._refused = (float("inf"), ProjectMissing(self.folder))
        if state is not None:
            state.workbench.close()


def still_alive(threads: Sequence[threading.Thread], seconds: float) -> str | None:
    """Wait so long for all of these threads; the name of one that goes on, else None."""
    end = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, end - time.monotonic()))
    return next((each.name for each in threads if each.is_alive()), None)


def _records(folder: Path) -> tuple[str, int, int]:
    """Where a folder lies and which file in it leads to its records. Raises OSError."""
    project = ProjectFolder(folder)
    try:
        found = project.pointer.stat()
    except FileNotFoundError:
        found = project.database.stat()
    return browser_key_of(folder), found.st_dev, found.st_ino
