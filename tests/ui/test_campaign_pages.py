"""Laws of the audit set, advice and accuracy report on the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from alworkbench.core.domain import AUDIT_STRATEGY
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import answer_all, draw, install, texts


@pytest.mark.parametrize("page", ["project", "curves"])
def test_an_audit_set_is_drawn_once_and_the_labelling_page_is_shown(
    tmp_path: Path, page: str
) -> None:
    workbench = FakeWorkbench(tmp_path, audit=0, measured=False)
    state = install(workbench)
    app = draw(page)
    assert workbench.writes == 0
    assert "give about" in texts(app)
    key = "start-audit-draw" if page == "project" else "curves-audit-draw"
    app.button(key=key).click().run()
    state.jobs.wait(10)
    (opened,) = workbench.rounds.all()
    assert (opened.strategy, opened.batch_size) == (AUDIT_STRATEGY, 100)
    assert app.session_state["went"] == "label"
    assert all(item.suggestion is None for item in workbench.rounds.items(opened.id))


def test_an_audit_round_is_named_on_its_page_and_closing_measures(tmp_path: Path) -> None:
    workbench = FakeWorkbench(tmp_path)
    state = install(workbench)
    workbench.audit.draw(5)
    answer_all(workbench)
    grid = draw("grid")
    assert "one image at a time" in texts(grid)
    grid.button(key="to-label").click().run()
    assert grid.session_state["went"] == "label"
    app = draw("label")
    assert "without suggestions" in texts(app)
    assert "learns nothing" in texts(app)
    app.button(key="close-round").click().run()
    state.jobs.wait(10)
    assert workbench.rounds.current() is None


def test_advice_follows_the_wanted_accuracy_and_writes_nothing(tmp_path: Path) -> None:
    workbench = FakeWorkbench(tmp_path)
    install(workbench)
    workbench.rounds.propose("random")
    answer_all(workbench)
    workbench.rounds.close()
    before = workbench.writes
    app = draw("project")
    assert "Go on" in texts(app)
    assert "60 more labels" in texts(app)
    app.number_input(key="advice-target").set_value(70).run()
    assert workbench.writes == before


def test_estimates_from_drawn_labels_name_their_method_and_limits(tmp_path: Path) -> None:
    workbench = FakeWorkbench(tmp_path)
    install(workbench)
    assert "LURE" not in texts(draw("curves"))
    workbench.rounds.propose("random")
    answer_all(workbench)
    workbench.rounds.close()
    assert "LURE" in texts(draw("curves"))
    assert "not the accuracy on the pool" in texts(draw("curves"))
