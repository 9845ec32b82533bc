"""The page Project says each figure once."""

from __future__ import annotations

from alworkbench.core.words import percent
from tests.making_project import Project
from tests.ui.real_page import shown
from tests.ui.test_pages import draw, html


def test_the_accuracy_is_said_once_before_any_label(project: Project) -> None:
    with shown(project.open()) as page:
        page.workbench.learners.measure_all()
        status = page.workbench.status()
        assert status.audit_accuracy is None  # there is no learner yet
        assert status.zero_shot_accuracy is not None
        assert "accuracy now" not in dict(status.facts())
        words = html(draw("project"))
        assert words.count(percent(status.zero_shot_accuracy)) == 1
        assert "Accuracy, no labels yet" in words
        assert "before any label" not in words
