"""The page of a reviewer says what it is for, looks for likely errors, and leaves cases to its component."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.core.domain import Item, JobKind, Lease
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.progress import Progress
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import draw, texts
from ui.state import UiState
from ui.views.teammates import held_by_others, initials

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def words(app: AppTest) -> str:
    """What a reader sees, without the marks that escape markdown."""
    return (texts(app) + " ".join(each.value for each in app.success)).replace("\\", "")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (0, "No other label is probably wrong"),
        (1, "1 label is probably wrong"),
        (2, "2 labels are probably wrong"),
    ],
)
def test_likely_errors_are_looked_for(
    state: UiState, workbench: FakeWorkbench, found: int, said: str
) -> None:
    workbench.found_errors = found
    app = draw("review")
    assert not app.exception
    assert "Your decision counts alone; all answers are kept" in words(app)
    assert "probably wrong." not in words(app).partition("all answers are kept")[2]
    app.button(key="review-look").click().run()
    state.jobs.wait(10)
    app.run()
    assert said in words(app)
    (job,) = state.workbench.jobs.newest()
    assert (job.kind, job.order) == (JobKind.ERRORS, {"do": "errors"})


def test_why_no_errors_can_be_looked_for_is_said(
    state: UiState, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(progress: Progress) -> int:
        raise WorkbenchError("No features of *b*.")

    monkeypatch.setattr(workbench.team.reviews, "open_label_errors", refuse)
    app = draw("review")
    app.button(key="review-look").click().run()
    state.jobs.wait(10)
    app.run()
    (error,) = app.error
    assert "No features of \\*b\\*" in error.value
    assert not app.exception


def test_decisions_have_no_button_of_the_page(state: UiState) -> None:
    """A button of the page acts on what the server drew last, which may not be on the screen."""
    app = draw("review")
    assert [each.key for each in app.button] == ["review-look"]


def test_who_else_labels_is_counted_without_those_who_answered() -> None:
    soon, gone = NOW + timedelta(minutes=1), NOW
    items = [
        Item(1, 1, 1, 0, None, None, leases=(Lease("ann", "a", soon), Lease("bo li", "b", soon))),
        Item(2, 1, 2, 1, None, None, leases=(Lease("bo li", "c", soon), Lease("eve", "d", gone))),
        Item(3, 1, 3, 2, None, None, leases=(Lease("joe", "e", soon),), answered_by=("joe",)),
    ]
    assert held_by_others(items, "ann", NOW) == {"bo li": 2}
    assert held_by_others(items, "x", NOW) == {"ann": 1, "bo li": 2}


@pytest.mark.parametrize(("name", "short"), [("Ann", "A"), ("bo li", "BL"), ("", "?")])
def test_initials(name: str, short: str) -> None:
    assert initials(name) == short
