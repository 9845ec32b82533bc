"""Laws of the pages: drawing writes nothing, buttons do one thing, names are never markup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import ui
from alworkbench.core.domain import DEFAULT_STRATEGY, Answer, AnswerKind, ClassSets, Selection
from alworkbench.core.errors import FeaturesMissing
from tests.ui.fake_workbench import FakeWorkbench
from ui import state as ui_state
from ui.projects import Projects
from ui.state import UiState
from ui.unbroken import NO_BREAK

PAGES = ("project", "label", "rounds", "curves", "errors", "calibration")
SCRIPT = Path(ui.__file__).parent / "script.py"


def draw(page: str) -> AppTest:
    """The page, drawn by itself; where its buttons lead is noted in `session_state.went`."""

    def script(page: str) -> None:
        import importlib

        import streamlit as st

        from ui.state import current

        def go(name: str) -> None:
            st.session_state["went"] = name

        importlib.import_module(f"ui.views.{page}").render(current(), go)

    return AppTest.from_function(script, default_timeout=20, args=(page,)).run()


def markdown(app: AppTest) -> str:
    """Everything on the page that is read as markdown."""
    shown = [*app.markdown, *app.caption, *app.info, *app.error, *app.header]
    return plain("\n".join(element.value for element in shown))


def plain(text: str) -> str:
    """The words of a page as reports and commands write them: numbers are kept beside their units here."""
    return text.replace(NO_BREAK, " ")


def html(app: AppTest) -> str:
    """Everything on the page that is read as HTML."""
    return plain("\n".join(element.proto.body for element in app.get("html")))


def texts(app: AppTest) -> str:
    return markdown(app) + html(app)


def install(workbench: FakeWorkbench) -> UiState:
    made = UiState(workbench)
    ui_state.install(Projects.of(made))
    return made


def answer_all(workbench: FakeWorkbench) -> None:
    ids = [c.id for c in workbench.classes.current().classes]
    for n, item in enumerate(workbench.labels.claim("annotator", 100)):
        assert item.lease is not None
        workbench.labels.record(
            Answer(
                event_id=f"answer-{item.id}-{n}",
                image_id=item.image_id,
                kind=AnswerKind.CLASS,
                annotator="annotator",
                class_id=ids[n % len(ids)],
                item_id=item.id,
                lease_token=item.lease.token,
            )
        )


def nothing_open(folder: Path, **options: Any) -> FakeWorkbench:
    return FakeWorkbench(folder, **options)


def open_round(folder: Path, **options: Any) -> FakeWorkbench:
    workbench = FakeWorkbench(folder, **options)
    workbench.rounds.propose()
    return workbench


def answered(folder: Path, **options: Any) -> FakeWorkbench:
    workbench = open_round(folder, **options)
    answer_all(workbench)
    return workbench


def closed(folder: Path, **options: Any) -> FakeWorkbench:
    workbench = answered(folder, **options)
    workbench.rounds.close()
    return workbench


def empty(folder: Path, **options: Any) -> FakeWorkbench:
    return FakeWorkbench(folder, pool=0, audit=0, measured=False, **options)


Maker = Callable[..., FakeWorkbench]
STATES = (empty, nothing_open, open_round, answered, closed)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("make", STATES)
@pytest.mark.usefixtures("state")
def test_drawing_a_page_writes_nothing(tmp_path: Path, page: str, make: Maker) -> None:
    workbench = make(tmp_path)
    install(workbench)
    before = workbench.writes
    app = draw(page)
    for _ in range(2):
        assert not app.exception
        app.run()
    assert workbench.writes == before


@pytest.mark.usefixtures("state")
def test_the_whole_script_draws_and_navigates() -> None:
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    assert not app.exception
    assert "Fashion sample" in texts(app)
    app.button(key="open-label").click().run()
    assert not app.exception


@pytest.mark.usefixtures("state")
def test_an_empty_project_says_what_to_do(tmp_path: Path) -> None:
    install(empty(tmp_path))
    for page in ("label", "rounds", "project"):
        app = draw(page)
        assert "no images yet" in texts(app)
        app.button(key="lead-import").click().run()
        assert app.session_state["went"] == "import"
    assert "No labels yet" in texts(draw("project"))
    assert "alworkbench simulate" in texts(draw("curves"))


@pytest.mark.usefixtures("state")
def test_a_round_is_started_with_the_choices_of_its_page(tmp_path: Path) -> None:
    workbench = nothing_open(tmp_path)
    made = install(workbench)
    app = draw("rounds")
    app.selectbox(key="round-strategy").select("random")
    app.number_input(key="round-batch").set_value(7)
    for wrong in ("twelve", "-1", str(2**31)):  # no other seed is taken in its place
        app.text_input(key="round-seed").set_value(wrong).run()
        for button in ("start-round", "preview-round"):
            assert app.button(key=button).disabled
            assert "whole number" in app.button(key=button).help
    app.text_input(key="round-seed").set_value("").run()
    assert not app.button(key="preview-round").disabled
    app.button(key="start-round").click().run()
    made.jobs.wait(10)
    (round_,) = workbench.rounds.all()
    assert (round_.strategy, round_.batch_size) == ("random", 7)


@pytest.mark.parametrize("page", ["project", "label"])
@pytest.mark.usefixtures("state")
def test_a_round_starts_as_the_project_is_set_and_the_desk_is_shown(
    tmp_path: Path, page: str
) -> None:
    workbench = nothing_open(tmp_path, batch_size=4)
    made = install(workbench)
    app = draw(page)
    app.button(key="start-round").click().run()
    made.jobs.wait(10)
    (round_,) = workbench.rounds.all()
    assert (round_.strategy, round_.batch_size) == (DEFAULT_STRATEGY, 4)
    assert app.session_state["went"] == "label"
    workbench.rounds.close()
    app = draw(page)
    app.button(key="to-rounds").click().run()
    assert app.session_state["went"] == "rounds"


@pytest.mark.usefixtures("state")
def test_closing_a_round_learns_once_and_shows_the_result(tmp_path: Path) -> None:
    workbench = answered(tmp_path)
    made = install(workbench)
    app = draw("label")
    app.button(key="close-round").click().run()
    made.jobs.wait(10)
    app.run()
    assert not app.exception
    assert workbench.rounds.current() is None
    assert len(workbench.measurements.all()) == 2
    assert "Accuracy before" in texts(app)
    assert "100 audit images" in texts(app)
    assert "the intervals overlap" in texts(app)


@pytest.mark.usefixtures("state")
def test_a_round_can_be_closed_early(tmp_path: Path) -> None:
    workbench = open_round(tmp_path)
    made = install(workbench)
    app = draw("label")
    app.button(key="close-early").click().run()
    made.jobs.wait(10)
    assert workbench.rounds.current() is None


@pytest.mark.usefixtures("state")
def test_a_failed_computation_is_told_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = nothing_open(tmp_path)

    def fail(**_choices: object) -> None:
        raise FeaturesMissing(5, 10)

    monkeypatch.setattr(workbench.rounds, "propose", fail)
    made = install(workbench)
    app = draw("project")
    app.button(key="start-round").click().run()
    made.jobs.wait(10)
    app.run()
    assert "alworkbench encode" in texts(app)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("secret"), "the full trace is in"),
        (FeaturesMissing(5, 10), "alworkbench encode"),
    ],
)
@pytest.mark.usefixtures("state")
def test_a_page_that_cannot_be_drawn_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    workbench = nothing_open(tmp_path)

    def fail() -> None:
        raise error

    monkeypatch.setattr(workbench, "status", fail)
    install(workbench)
    app = AppTest.from_file(str(SCRIPT), default_timeout=20).run()
    assert not app.exception
    assert words in texts(app).lower().replace("\\", "")
    assert "secret" not in texts(app)
    traces = list((tmp_path / "logs").glob("error-*.txt"))
    assert len(traces) == isinstance(error, RuntimeError)
    assert all("secret" in trace.read_text() for trace in traces)


HOSTILE = (
    "![x](http://evil.example/p.png)",
    "<img src=http://evil.example/i.png onerror=alert(1)>",
    "<script>alert(1)</script>",
    ":red[red] $x^2$ [a](http://evil.example)",
    "`code` **bold** :material/home:",
)


@pytest.mark.parametrize("make", STATES)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("state")
def test_names_are_never_markup(tmp_path: Path, page: str, make: Maker) -> None:
    """Whatever a class or a project is called, no page holds it as markdown or as HTML."""
    install(make(tmp_path, names=HOSTILE, name=" ".join(HOSTILE)))
    app = draw(page)
    assert not app.exception
    assert not [name for name in HOSTILE if name in markdown(app)]
    assert not [name for name in HOSTILE if "<" in name and name in html(app)]


def with_sets(workbench: FakeWorkbench) -> ClassSets:
    """Give the newest round the first two classes as the likely ones of every image."""
    round_ = workbench.rounds.all()[-1]
    ids = tuple(c.id for c in workbench.classes.current().classes if c.id is not None)
    found = (ids[:2],) * round_.batch_size
    sets = ClassSets(0.1, False, 100, len(ids), Selection.CHOSEN, (0.5,), found)
    workbench._rounds[-1] = replace(round_, settings={"class_sets": sets.as_record()})
    return sets


@pytest.mark.usefixtures("state")
def test_the_labelling_page_says_what_likely_classes_promise(tmp_path: Path) -> None:
    workbench = open_round(tmp_path)
    install(workbench)
    assert "likely classes" not in texts(draw("label"))
    sets = with_sets(workbench)
    assert sets.words in texts(draw("label"))


@pytest.mark.usefixtures("state")
def test_a_closed_round_says_how_often_likely_classes_were_right(tmp_path: Path) -> None:
    workbench = closed(tmp_path)
    install(workbench)
    assert "likely classes" not in texts(draw("label"))
    with_sets(workbench)
    before = workbench.writes
    assert "Of the 10 labelled images of round 1, 2 had their class" in texts(draw("label"))
    assert workbench.writes == before
