"""Fixtures of the screens' tests."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.context import ContextProxy

from tests.ui.fake_workbench import FakeWorkbench
from ui import state as ui_state
from ui.door.visitor import PERSON_HEADER
from ui.projects import Projects
from ui.state import UiState


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """Each AppTest looks through all installed packages for components of others: it looks once."""
    once = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Pages under test put themselves in the place of the main module, which new processes import."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(autouse=True)
def page_headers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a page reads of its request: that the guard let the manager in. A test may change it."""
    given: dict[str, str] = {}

    def headers(_context: object) -> dict[str, str]:
        return {PERSON_HEADER: f"1 {ui_state.current().proof}"} | given

    monkeypatch.setattr(ContextProxy, "headers", property(headers))
    return given


@pytest.fixture
def workbench(tmp_path: Path) -> FakeWorkbench:
    """A project with an open round of 10 images, nothing answered."""
    fake = FakeWorkbench(tmp_path, batch_size=10)
    fake.rounds.propose()
    return fake


@pytest.fixture
def state(workbench: FakeWorkbench) -> Iterator[UiState]:
    """The installed state over `workbench`; the one before is put back."""
    before = ui_state._projects
    made = UiState(workbench)
    ui_state.install(Projects.of(made))
    yield made
    made.jobs.stop(5)
    ui_state._projects = before
