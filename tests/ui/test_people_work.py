"""How people work, on their page: the figures are those of the service, read only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from alworkbench.project.settings_change import change_settings
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing
from tests.ui.test_pages import draw, install, texts

MARKUP = "Bo <b> ![x](http://evil.example/p.png)"


@pytest.fixture
def team(project: Project, answers: Callable) -> Iterator[Workbench]:
    """Two people answered five images; one of them holds two more."""
    with closing(project.open()) as workbench:
        change_settings(workbench.session, overlap=2)
        workbench.rounds.propose("random", 8)
        answers(workbench, 5, "ada")
        answers(workbench, 5, MARKUP)
        workbench.labels.claim(MARKUP, 2)
        yield workbench


@pytest.mark.usefixtures("state")
def test_pace_and_agreement_are_those_of_the_service(team: Workbench) -> None:
    install(team)  # type: ignore[arg-type]
    app = draw("people")
    assert not app.exception
    assert len(app.dataframe) == 1  # nothing is computed before somebody asks
    app.toggle(key="show-pace").set_value(True).run()
    assert not app.exception
    shown = app.dataframe[1].value
    pace, held = team.team.pace(), team.team.held()
    assert held == {MARKUP: 2}
    assert list(shown["Person"]) == [each.person for each in pace]
    assert {"ada", MARKUP} <= set(shown["Person"])
    assert list(shown["Answers"]) == [each.answers for each in pace]
    assert list(shown["Holds now"]) == [held.get(each.person, 0) for each in pace]
    agreed = dict(zip(shown["Person"], shown["Agreement [95 %]"], strict=True))
    assert "[" in agreed["ada"]
    assert "[" in agreed[MARKUP]
    agreement = team.team.agreement()
    assert f"on {agreement.images} images" in texts(app)
    assert MARKUP not in texts(app)
