"""The page of a reviewer hides the answers of others until the own opinion is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alworkbench.core.domain import (
    AnswerKind,
    Item,
    Label,
    Lease,
    Review,
    ReviewReason,
    ReviewState,
)
from alworkbench.project.reviews import ReviewCase
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import draw, texts
from ui.state import UiState
from ui.views.teammates import held_by_others, initials

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def case(number: int) -> ReviewCase:
    history = tuple(
        Label(n, f"e{n}", 1, AnswerKind.CLASS, 100 + n, who, None, NOW, None, None, "browser")
        for n, who in enumerate(("ann", "bob *b*"))
    )
    review = Review(
        number, 1, ReviewReason.DISAGREEMENT, 2, None, NOW, ReviewState.OPEN, None, None, None, None
    )
    return ReviewCase(review, "a" * 64, "1.png", history)


def test_answers_are_hidden_until_the_own_opinion_is_given(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.cases = [case(3), case(4)]
    app = draw("review")
    assert not app.exception
    assert "2 open cases" in texts(app)
    assert "ann" not in texts(app)
    name = workbench.classes.current().names[1]
    app.radio(key="review-3-choice").set_value(name).run()
    assert "ann" not in texts(app)
    app.button(key="review-3-show").click().run()
    assert "ann" in texts(app)
    assert "bob \\*b\\*" in texts(app)
    app.button(key="review-3-decide").click().run()
    assert [(number, how) for number, _, how in workbench.closed_cases] == [(3, name)]
    assert "1 open case" in texts(app)
    assert "ann" not in texts(app)


def test_the_answers_can_be_left_as_they_are(state: UiState, workbench: FakeWorkbench) -> None:
    workbench.cases = [case(3)]
    app = draw("review")
    app.radio(key="review-3-choice").set_value("Cannot tell").run()
    app.button(key="review-3-show").click().run()
    app.button(key="review-3-dismiss").click().run()
    assert [how for _, _, how in workbench.closed_cases] == ["dismissed"]
    assert "No open cases" in texts(app)


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
