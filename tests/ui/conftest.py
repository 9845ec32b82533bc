"""Fixtures of the screens' tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.fake_workbench import FakeWorkbench
from ui import state as ui_state
from ui.state import UiState


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Pages under test put themselves in the place of the main module, which new processes import."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def workbench(tmp_path: Path) -> FakeWorkbench:
    """A project with an open round of 10 images, nothing answered."""
    fake = FakeWorkbench(tmp_path, batch_size=10)
    fake.rounds.propose()
    return fake


@pytest.fixture
def state(workbench: FakeWorkbench) -> Iterator[UiState]:
    """The installed state over `workbench`; the one before is put back."""
    before = ui_state._current
    made = UiState(workbench)
    ui_state.install(made)
    yield made
    made.jobs.stop(5)
    ui_state._current = before
