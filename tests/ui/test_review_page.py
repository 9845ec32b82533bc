"""The page of a reviewer hides the answers of others until the own opinion is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.core.domain import (
    AnswerKind,
    Item,
    Label,
    Lease,
    Review,
    ReviewReason,
    ReviewState,
)
from alworkbench.project.review_cases import ReviewCase
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import draw, texts
from ui.state import UiState
from ui.views.teammates import held_by_others, initials

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def case(number: int, **more: Any) -> ReviewCase:
    history = tuple(
        Label(n, f"e{n}", 1, AnswerKind.CLASS, 100 + n, who, None, NOW, None, None, "browser")
        for n, who in enumerate(("ann", "bob *b*"))
    )
    earlier = more.pop("earlier", ())
    values = {"reason": ReviewReason.DISAGREEMENT, "state": ReviewState.OPEN, **more}
    review = Review(
        number,
        1,
        **{
            "newest_label_id": 2,
            "probability": None,
            "opened_at": NOW,
            "closed_at": None,
            "closed_by": None,
            "label_id": None,
            "note": None,
            **values,
        },
    )
    return ReviewCase(review, "a" * 64, "1.png", history, earlier)


def error(number: int) -> ReviewCase:
    return case(
        number,
        reason=ReviewReason.LABEL_ERROR,
        probability=0.02,
        predicted_class_id=103,
        predicted_probability=0.9,
    )


def second(number: int, asker: str) -> ReviewCase:
    passed = case(
        number - 1,
        state=ReviewState.PASSED_ON,
        closed_at=NOW,
        closed_by=asker,
        note="blurry",
        opinion_class_id=101,
    ).review
    return case(number, reason=ReviewReason.SECOND_OPINION, asked_by=asker, earlier=(passed,))


def words(app: AppTest) -> str:
    """What a reader sees, without the marks that escape markdown."""
    return (texts(app) + " ".join(each.value for each in app.success)).replace("\\", "")


def test_others_are_hidden_until_the_own_opinion_is_given(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.cases = [error(3), case(4)]
    app = draw("review")
    assert not app.exception
    assert "2 open cases" in texts(app)
    assert "ann" not in texts(app)
    assert "A model that did not learn" not in texts(app)
    name = workbench.classes.current().names[1]
    app.button(key="review-3-see-1").click().run()
    for shown in ("ann", "bob \\*b\\*", "45 times as much", f"You see: **{name}**"):
        assert shown in texts(app)
    app.button(key="review-3-decide").click().run()
    assert [(number, how) for number, _, how in workbench.closed_cases] == [(3, name)]
    assert "1 open case" in texts(app)
    assert "ann" not in texts(app)


def test_who_does_not_want_a_blind_look_sees_the_answers_at_once(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.cases = [error(3)]
    app = draw("review")
    app.toggle(key="review-blind").set_value(False).run()
    assert "ann" in texts(app)
    assert "45 times as much" in texts(app)


@pytest.mark.parametrize(("button", "how"), [("dismiss", "dismissed"), ("pass", "asked: None")])
def test_a_case_can_be_kept_or_passed_on(
    state: UiState, workbench: FakeWorkbench, button: str, how: str
) -> None:
    workbench.cases = [case(3)]
    app = draw("review")
    app.button(key="review-3-see-nothing").click().run()
    app.button(key=f"review-3-{button}").click().run()
    assert [how for _, _, how in workbench.closed_cases] == [how]
    assert "No open cases" in texts(app)


def test_a_kind_of_case_can_be_chosen_and_a_case_put_off(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.cases = [case(3), case(4), error(5)]
    app = draw("review")
    assert "Case 3, 1 of 3" in words(app)
    app.button(key="review-3-later").click().run()
    assert "Case 4, 1 of 3" in words(app)
    app.button(key="review-4-later").click().run()
    app.button(key="review-5-later").click().run()
    assert "Case 3, 1 of 3" in words(app)
    app.segmented_control(key="review-filter").set_value("label_error").run()
    assert "Case 5, 1 of 1" in words(app)
    app.segmented_control(key="review-filter").set_value("second_opinion").run()
    assert "No open case of this kind" in words(app)
    app.segmented_control(key="review-filter").set_value("disagreement").run()
    app.button(key="review-3-see-1").click().run()
    app.button(key="review-3-decide").click().run()
    assert "Case 4, 1 of 1" in words(app)  # the filter stays


def test_a_second_opinion_shows_the_first_and_is_not_asked_of_its_asker(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.cases = [second(3, "ann")]
    app = draw("review")
    assert "ann asks for a second opinion" in words(app)
    assert "blurry" not in words(app)
    app.button(key="review-3-see-1").click().run()
    assert f"ann saw {workbench.classes.current().names[1]}" in words(app)
    app.button(key="review-3-decide").click().run()
    ((_, me, _),) = workbench.closed_cases
    workbench.cases = [second(5, me), case(6)]
    app.run()
    assert "Case 6, 1 of 2" in words(app)  # the own question comes last
    workbench.cases = [second(5, me)]
    app.run()
    assert "Another reviewer decides" in words(app)
    app.button(key="review-5-dismiss").click().run()
    assert workbench.closed_cases[-1] == (5, me, "dismissed")


def test_likely_errors_are_looked_for_and_closed_cases_are_listed(
    state: UiState, workbench: FakeWorkbench
) -> None:
    workbench.found_errors = 2
    closed = second(7, "ann").earlier[0]
    workbench.all_cases = [ReviewCase(closed, "a" * 64, "1.png", ())]
    app = draw("review")
    app.button(key="review-look").click().run()
    assert "2 labels are probably wrong" in words(app)
    app.segmented_control(key="review-filter").set_value("Closed").run()
    (table,) = app.dataframe
    assert "asked a second person" in table.value["Outcome"][0]
    assert table.value["Note"][0] == "blurry"


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
