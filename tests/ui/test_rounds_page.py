"""The page of rounds does what the service does: it previews, opens, closes and replays rounds."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from alworkbench.core.domain import JobKind, PersonRole
from alworkbench.project.near_copies import NearCopy
from alworkbench.project.next_step import Step
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, answering
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import answer_all, draw, html, install, markdown, texts
from ui import state as ui_state
from ui.projects import Projects
from ui.state import UiState
from ui.views import news
from ui.views.gallery import asked_of
from ui.views.next_round import lead_of, waiting_words
from ui.views.round_images import near_words
from ui.views.round_list import csv_of
from ui.views.times import ago, exact, time_html

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECONDS = 60


@pytest.fixture
def real(project: Project) -> Iterator[tuple[UiState, Callable]]:
    """The pages over a real project, and what answers its open round."""
    before = ui_state._projects
    with project.open() as workbench:
        workbench.people.add("Bo <b>", PersonRole.MANAGER)
        made = UiState(workbench)
        ui_state.install(Projects.of(made))
        yield made, answering(project)
        made.jobs.stop(5)
    ui_state._projects = before


def click(app: AppTest, state: UiState, key: str) -> AppTest:
    """Press a button, wait for what it starts, and draw the page again."""
    app.button(key=key).click().run()
    state.jobs.wait(SECONDS)
    return app.run()


def images(workbench: Workbench, number: int) -> list[int]:
    round_ = workbench.rounds.all()[number - 1]
    return [item.image_id for item in workbench.rounds.items(round_.id)]


def test_a_round_is_previewed_opened_as_shown_closed_and_replayed(
    real: tuple[UiState, Callable],
) -> None:
    state, answers = real
    workbench = state.workbench
    app = draw("rounds")
    assert not app.exception
    assert "operations" in markdown(app)
    app.selectbox(key="round-strategy").select("margin")
    app.number_input(key="round-batch").set_value(6)
    app = click(app, state, "preview-round")
    kept = workbench.rounds.previews.kept()
    assert kept is not None
    assert workbench.rounds.all() == []
    assert (kept.batch.strategy, len(kept.batch.items), kept.asked_by) == ("margin", 6, "Bo <b>")
    assert html(app).count("<img") == 6
    assert "Propose anew" in [button.label for button in app.button]

    app = click(app, state, "open-preview")
    assert images(workbench, 1) == [item.image_id for item in kept.batch.items]
    assert workbench.rounds.all()[0].opened_by == "Bo <b>"
    assert "Round 1 is open" in markdown(app)

    answers(workbench, 6)
    app = click(app.run(), state, "close-round")
    assert not app.exception
    (report,) = workbench.rounds.history()
    assert (report.round.closed_by, report.answered) == ("Bo <b>", 6)
    assert report.bought is not None
    assert report.bought.words in markdown(app).replace("\\", "")
    assert "Bo &lt;b&gt;" in html(app)
    assert "Bo <b>" not in html(app)

    app = click(app, state, "start-replay")
    replayed = workbench.rounds.newest_replay()
    assert replayed is not None
    assert (replayed.identical, replayed.rounds, replayed.asked_by) == (True, 1, "Bo <b>")
    assert any("Identical" in each.value for each in app.success)

    curves = draw("curves")
    assert "1 round is identical" in "".join(each.value for each in curves.caption)
    curves.button(key="to-replay").click().run()
    assert curves.session_state["went"] == "rounds"

    def state_of_project() -> tuple:
        with workbench.session.store.read() as reader:
            files = {f: f.stat().st_mtime_ns for f in workbench.session.folder.path.glob("*.json")}
            return reader.labels.count(), reader.rounds.all(), len(reader.jobs.newest(99)), files

    app = click(app, state, "preview-round")
    before = state_of_project()
    app.run()
    draw("label"), draw("project")
    assert state_of_project() == before
    workbench.classes.reorder(["bee"])
    app.run()
    assert "the class list changed" in "".join(each.value for each in app.warning)
    assert "open-preview" not in [button.key for button in app.button]


def test_a_running_computation_is_shown_with_its_step_and_stopped(
    state: UiState, workbench: FakeWorkbench
) -> None:
    """As after a reload: the page knows the job from its record alone."""
    workbench.rounds.close()
    job = workbench.jobs.queue(JobKind.RANK, "rank the *pool*", "ada", {"do": "propose"})
    with workbench.session_store.write() as writer:
        writer.jobs.start(job.id, job.process, datetime.now(UTC))
        writer.jobs.report(job.id, job.process, "ranking", 1, 2, datetime.now(UTC))
    for page in ("rounds", "label", "project"):
        app = draw(page)
        assert not app.exception
        assert "Rank the \\*pool\\*" in markdown(app)
        assert "Asked by ada" in markdown(app)
    app.button(key=f"cancel-{job.id}").click().run()
    assert workbench.jobs.get(job.id).cancel_asked
    assert "stops at its next step" in markdown(app)


def test_a_round_that_is_left_open_shows_who_answered_and_can_be_closed_early(
    state: UiState, workbench: FakeWorkbench
) -> None:
    answer_all(workbench)
    app = draw("rounds")
    assert "10 of 10 answers" in "".join(each.proto.text for each in app.get("progress"))
    assert "annotator" in html(app)
    app.button(key="close-round").click().run()
    state.jobs.wait(10)
    assert workbench.rounds.current() is None


@pytest.mark.parametrize(
    ("step", "page"),
    [(Step.IMPORT, "import"), (Step.IMPORT_MORE, "import"), (Step.ENCODE, "import")],
)
def test_what_a_project_lacks_is_said_and_its_page_is_offered(
    tmp_path: Path, step: Step, page: str
) -> None:
    workbench = FakeWorkbench(tmp_path)
    status = workbench.status()
    lead = lead_of(SimpleNamespace(**{n: getattr(status, n) for n in
        ("pool_images", "audit_images", "encoded")}, step=step))  # fmt: skip
    assert lead is not None
    assert lead.page == page
    assert lead.words.endswith(".")


@pytest.mark.usefixtures("state")
def test_an_exhausted_pool_starts_no_round_and_names_what_helps(tmp_path: Path) -> None:
    workbench = FakeWorkbench(tmp_path, pool=5, batch_size=5)
    install(workbench)
    workbench.rounds.propose()
    answer_all(workbench)
    workbench.rounds.close()
    assert workbench.status().step is Step.IMPORT_MORE
    for page in ("label", "rounds", "project"):
        app = draw(page)
        assert "start-round" not in [button.key for button in app.button]
        assert "5 images" in texts(app) or "alworkbench import" in texts(app)
    assert "adds more" in waiting_words(workbench.status())


def test_a_round_leads_to_its_images_in_the_gallery(
    state: UiState, workbench: FakeWorkbench
) -> None:
    address = state.page("gallery", round="1")
    assert address.replace("&", "&amp;") in html(draw("rounds"))
    asked = {name: value[0] for name, value in parse_qs(urlparse(address).query).items()}
    classes = workbench.classes.current()
    assert asked_of(asked, classes, [1]) == ({"round": "1"}, [])
    assert asked_of(asked, classes, []) == ({}, ["1"])


@pytest.mark.usefixtures("state")
def test_a_project_that_cannot_be_written_offers_no_step(tmp_path: Path) -> None:
    workbench = FakeWorkbench(tmp_path)
    workbench.session.read_only = True
    install(workbench)
    for page in ("label", "rounds", "project"):
        app = draw(page)
        assert "cannot be written" in "".join(each.value for each in app.warning)
        assert "start-round" not in [button.key for button in app.button]


def test_an_open_page_is_told_once_what_a_round_bought(
    state: UiState, workbench: FakeWorkbench
) -> None:
    def script() -> None:
        from ui.state import current
        from ui.views.news import news

        news(current())

    answer_all(workbench)
    app = AppTest.from_function(script, default_timeout=20).run()
    assert not app.toast
    state.jobs.start(JobKind.LEARN, "close round 1", "ada", {"do": "close"})
    state.jobs.wait(10)
    state.markers.now()
    app.run()
    (toast,) = app.toast
    assert "learned from round 1" in toast.value
    app.run()
    assert not app.toast
    assert "Accuracy" in (news.newest_outcome(state) or "")


def test_the_list_as_a_file_is_harmless_and_complete(workbench: FakeWorkbench) -> None:
    answer_all(workbench)
    workbench.rounds.close()
    (report,) = workbench.rounds.history()
    hostile = replace(report, round=replace(report.round, settings={"opened_by": "=cmd()"}))
    rows = list(csv.DictReader(io.StringIO(csv_of([hostile, report]))))
    assert [row["round"] for row in rows] == ["1", "1"]
    assert rows[0]["opened_by"] == "'=cmd()"
    assert float(rows[1]["accuracy"]) == report.bought.after.value


def test_near_copies_in_words() -> None:
    pair = [NearCopy(1, 2, False, 0.9), NearCopy(2, 1, False, 0.9)]
    assert near_words([]).startswith("No image looks like")
    assert "2 images of the batch look alike" in near_words(pair)
    assert "1 image looks like one with a label" in near_words([NearCopy(1, 9, True, 0.8)])


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"), (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"), (timedelta(hours=5, minutes=9), "5 hours ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)  # fmt: skip
def test_times_are_relative_and_exact_on_hover(passed: timedelta, words: str) -> None:
    at = NOW - passed
    assert ago(at, NOW) == words
    assert words in time_html(at, NOW)
    assert exact(at) in time_html(at, NOW)
    assert time_html(None, NOW) == "–"
