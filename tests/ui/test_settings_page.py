"""Laws of the settings page: it has the settings of `alworkbench set`, and changes them as that does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.cli.set_command import set_
from alworkbench.core.domain import Consensus, ProjectSettings
from alworkbench.project.setting_cards import CARDS
from alworkbench.project.settings_change import change_settings
from tests.making_project import Project
from tests.ui.real_page import shown
from tests.ui.test_pages import draw, texts
from ui.state import UiState

NAMES = [card.name for card in CARDS]
CHANGES: dict[str, Any] = {
    "strategy": "margin",
    "batch_size": 7,
    "overlap": 2,
    "overlap_share": 0.25,
    "consensus": Consensus.DECIDING,
    "prepare_at": 0.8,
    "target_accuracy": 0.9,
}


@pytest.fixture
def page(project: Project) -> Iterator[UiState]:
    with shown(project.open()) as installed:
        yield installed


def test_the_page_has_every_setting_of_the_command_and_no_other() -> None:
    parameters = set(inspect.signature(change_settings).parameters) - {"session"}
    assert set(NAMES) == parameters
    options = set(inspect.signature(set_).parameters) - {"project", "as_json"}
    assert {"batch_size" if each == "batch" else each for each in options} == parameters
    assert set(NAMES) <= set(ProjectSettings.__dataclass_fields__)


def choose(app: AppTest, name: str, value: Any) -> None:
    """Put a value into the box of a setting, as a person does: shares are percents."""
    kinds = ("number_input", "selectbox", "text_input")
    (box,) = (e for kind in kinds for e in getattr(app, kind) if e.key == f"set-{name}")
    box.set_value(100 * value if isinstance(value, float) else value)


def test_changes_are_confirmed_first_and_equal_those_of_the_service(page: UiState) -> None:
    session = page.workbench.session
    before = session.settings()
    app = draw("settings")
    assert not app.exception
    assert app.button(key="settings-save").disabled
    assert app.text_input(key="set-encoder").disabled
    assert not app.number_input(key="set-seed").disabled
    for name, value in CHANGES.items():
        choose(app, name, value)
    app.run()
    app.button(key="settings-save").click().run()
    assert session.settings() == before
    assert "from the next round on" in texts(app)
    app.button(key="settings-leave").click().run()
    assert session.settings() == before
    assert app.button(key="settings-save").disabled

    for name, value in CHANGES.items():
        choose(app, name, value)
    app.run()
    app.button(key="settings-save").click().run()
    app.button(key="settings-confirm").click().run()
    assert session.settings() == replace(before, **CHANGES)
    assert app.success[0].value.startswith("Changed")
    assert app.button(key="settings-save").disabled
    # Another manager changes a setting while this page is open with another one changed.
    choose(app, "overlap", 3)
    app.run()
    change_settings(session, batch_size=9)
    app.run()
    assert app.number_input(key="set-batch_size").value == 9
    app.button(key="settings-save").click().run()
    app.button(key="settings-confirm").click().run()
    assert session.settings() == replace(before, **(CHANGES | {"batch_size": 9, "overlap": 3}))
    page.workbench.rounds.propose("random", 2)
    assert draw("settings").number_input(key="set-seed").disabled
