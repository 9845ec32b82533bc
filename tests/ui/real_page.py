"""Pages over a real project, whose jobs run in this process; a manager named ada looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alworkbench.core.domain import PersonRole
from alworkbench.project.workbench import Workbench
from ui import state as ui_state
from ui.projects import Projects
from ui.state import UiState


@contextmanager
def shown(workbench: Workbench) -> Iterator[UiState]:
    """The installed state over a workbench; the one before is put back, and the store is closed."""
    workbench.people.add("ada", PersonRole.MANAGER)
    before, made = ui_state._projects, UiState(workbench)
    ui_state.install(Projects.of(made))
    try:
        yield made
        made.jobs.stop(10)
    finally:
        ui_state._projects = before
        workbench.close()
