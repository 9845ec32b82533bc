"""Laws of the page of simulations: it says the cost, acts as the service does, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alworkbench.api import simulate
from alworkbench.core.domain import Answer, AnswerKind, JobKind, JobState, PersonRole, Role
from alworkbench.project.workbench import Workbench
from alworkbench.report.comparing import LETTERS, compare
from alworkbench.report.findings import findings_in
from alworkbench.report.project_savings import project_savings
from alworkbench.report.savings_table import savings_lines
from alworkbench.simulation.begun import Begun, save_begun
from alworkbench.simulation.config import SimulationConfig
from alworkbench.simulation.cost import cost_of
from alworkbench.simulation.kept import kept_simulations
from tests.made_results import made_points, made_result
from tests.making_project import Project, closing, copied
from tests.ui.real_page import shown
from tests.ui.site import Site, kept_site, site
from tests.ui.test_pages import draw, texts
from ui import state as ui_state
from ui.projects import Projects
from ui.state import UiState
from ui.views import simulation_form

__all__ = ["kept_site", "site"]

SMALL = {
    "strategies": ["random", "entropy"],
    "adaptations": ["zero-shot"],
    "baselines": [],
    "seeds": 2,
    "labels": 8,
    "batch": [4],
    "processes": 1,
}
"""Two strategies that choose among images, and a learning method that takes no time."""
MARKED = "[link](http://evil) <b>:red[x] \u202eabc"


@pytest.fixture(scope="module")
def labelled(kept_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project with all images labelled. Tests copy it."""
    project = copied(kept_project, tmp_path_factory.mktemp("labelled") / "project")
    with closing(project.open()) as workbench:
        workbench.people.add("mia", PersonRole.MANAGER)
        label_all(workbench, project.truth)
    return project


def label_all(workbench: Workbench, truth: dict[str, str]) -> None:
    classes = workbench.classes.current()
    with workbench.session.store.write() as writer:
        answers = [
            Answer(
                event_id=content,
                image_id=image,
                kind=AnswerKind.CLASS,
                annotator="ada",
                class_id=classes.with_name(truth[content]).id,  # type: ignore[union-attr]
            )
            for image, content in writer.images.ids_and_hashes(Role.POOL)
        ]
        writer.labels.add_many(answers, workbench.session.now())


@pytest.fixture
def page(labelled: Project, tmp_path: Path) -> Iterator[UiState]:
    """The installed state over a copy, whose jobs run in this process."""
    with closing(copied(labelled, tmp_path / "project").open()) as workbench:
        before, installed = ui_state._projects, UiState(workbench)
        ui_state.install(Projects.of(installed))
        yield installed
        installed.jobs.stop(10)
        ui_state._projects = before


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of results whose report was to be written: writing one takes seconds."""
    found: list[str] = []
    monkeypatch.setattr(
        "alworkbench.report.writing.write_report", lambda result, _: found.append(result.key)
    )
    return found


def place(page: UiState) -> Path:
    return page.workbench.session.folder.simulations


def files(page: UiState) -> dict[str, tuple[int, int]]:
    folder = page.workbench.session.folder.path
    found = {p: p.stat() for p in folder.rglob("*") if p.is_file() and "project.db-" not in p.name}
    return {str(p): (s.st_mtime_ns, s.st_size) for p, s in found.items()}


def said(app: Any) -> str:
    """Everything on the page, with what escapes it taken off."""
    return "\n".join([texts(app), *(each.value for each in app.warning)]).replace("\\", "")


def fill(app: Any) -> None:
    app.multiselect(key="simulation-strategies").set_value(SMALL["strategies"])
    app.multiselect(key="simulation-adaptations").set_value(SMALL["adaptations"])
    app.multiselect(key="simulation-baselines").set_value([])
    app.number_input(key="simulation-seeds").set_value(SMALL["seeds"])
    app.number_input(key="simulation-labels").set_value(SMALL["labels"])
    app.number_input(key="simulation-processes").set_value(1)
    app.text_input(key="simulation-batch").set_value("4").run()


def test_a_simulation_started_here_is_the_one_that_the_service_runs(
    page: UiState, tmp_path: Path
) -> None:
    before = files(page)
    app = draw("simulations")
    assert not app.exception
    assert "The time is not known" in said(app)
    fill(app)
    assert (
        "4 runs: 2 combinations of strategy, learning method and batch size, each with 2 seeds. Together "
        "they take 8 rounds" in said(app)
    )
    assert "32 answers" in said(app)
    app.text_input(key="simulation-batch").set_value("none").run()
    assert app.button(key="simulation-start").disabled
    assert "The form says batch: 'none'" in said(app)
    app.text_input(key="simulation-batch").set_value("4").run()
    assert files(page) == before
    assert page.workbench.jobs.newest() == []

    app.button(key="simulation-start").click().run()
    page.jobs.wait(60)
    (job,) = page.workbench.jobs.newest()
    assert (job.kind, job.state, job.asked_by) == (JobKind.SIMULATE, JobState.DONE, "mia")
    (result,) = kept_simulations(place(page)).finished
    folder = page.workbench.session.folder.path
    (alone,) = simulate(**SMALL, project=folder, out=tmp_path / "alone", cache=tmp_path)
    assert alone.key == result.key
    assert [p.without_costs() for p in alone.points] == [p.without_costs() for p in result.points]
    assert "<script" not in result.page.read_text()

    before = files(page)
    app = draw("simulations")
    assert not app.exception
    assert findings_in(result).headline.split(".")[0] in said(app)
    app.selectbox(key=f"simulations-baseline-{result.key}").set_value("entropy").run()
    assert not app.exception
    assert files(page) == before
    (found,) = project_savings(kept_simulations(place(page)).finished, None)
    assert (found.key, found.headline) == (result.key, findings_in(result).headline)


def test_a_project_that_cannot_be_simulated_on_is_refused_before_a_job_is_begun(
    project: Project,
) -> None:
    """This one has no labels in its pool. A collection can be simulated on in any project."""
    with shown(project.open()) as page:
        app = draw("simulations")
        assert not app.exception
        assert app.button(key="simulation-start").disabled
        assert "this project has 0 in the pool and 24 in the audit set" in said(app)
        app.radio(key="simulation-source").set_value("data").run()
        assert not app.button(key="simulation-start").disabled
        begun = {"begun_at": page.workbench.session.now(), "name": "toy", "key": "a" * 16}
        plan = SimulationConfig.of({**SMALL, "data": ["digits"]}).plan
        (place(page) / begun["key"]).mkdir(parents=True)
        save_begun(Begun(place(page) / begun["key"], plan=plan, words=SMALL, **begun))
        app = draw("simulations")
        app.button(key=f"go-on-{begun['key']}").click().run()
        assert "this project has 0 in the pool" in said(app)
        assert page.workbench.jobs.newest() == []


def test_one_that_was_stopped_goes_on_with_the_runs_that_are_left(
    page: UiState, reports: list[str]
) -> None:
    class Stop(Exception):
        pass

    def stop_after_three(what: str, done: int, total: int) -> None:
        if what == "runs" and done == 3:
            raise Stop

    folder = page.workbench.session.folder.path
    with pytest.raises(Stop):
        simulate(**SMALL, project=folder, cache=folder, progress=stop_after_three)
    assert page.workbench.jobs.newest()[0].state is JobState.FAILED
    (begun,) = kept_simulations(place(page)).unfinished
    assert (sum(begun.seeds_done().values()), begun.total) == (3, 4)
    kept = {p: p.stat().st_mtime_ns for p in (begun.folder / "runs").iterdir()}
    app = draw("simulations")
    assert "3 of 4 runs done" in said(app)
    app.button(key=f"go-on-{begun.key}").click().run()
    page.jobs.wait(60)
    found = kept_simulations(place(page))
    assert [each.key for each in found.finished] == [begun.key]
    assert not found.unfinished
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert reports == [begun.key]
    draw("simulations").button(key=f"report-{begun.key}").click().run()
    page.jobs.wait(60)
    assert reports == [begun.key] * 2


def test_a_live_one_is_shown_with_its_arms_and_can_be_cancelled(page: UiState) -> None:
    workbench = page.workbench
    words = {**SMALL, "project": str(workbench.session.folder.path)}
    job = workbench.jobs.queue(
        JobKind.SIMULATE, f"simulate {MARKED}", "mia", {"do": "simulate", "words": words}
    )
    app = draw("simulations")
    assert MARKED in said(app)
    assert not [each for each in app.button if each.key == "simulation-start"]
    app.button(key=f"cancel-{job.id}").click().run()
    assert workbench.jobs.get(job.id).state is JobState.CANCELLED
    assert [each for each in draw("simulations").button if each.key == "simulation-open"]


def test_results_are_compared_as_the_command_compares_them(page: UiState) -> None:
    app = draw("simulations")
    points = made_points()
    one = made_result(place(page) / "a", points, key="a" * 16, name=MARKED)
    two = made_result(place(page) / "b", made_points(seed=1), key="b" * 16, name=MARKED)
    other = made_result(place(page) / "c", made_points(seeds=3), key="c" * 16, name=MARKED)
    (place(page) / "d").mkdir()
    (place(page) / "d" / "result.json").write_text("{")
    app = draw("simulations")
    assert not app.exception
    assert MARKED.split()[0] in said(app)
    assert "cut short" in said(app)
    app.multiselect[0].set_value([one.key]).run()
    header, *rows = savings_lines(findings_in(one))
    shown = [frame.value for frame in app.dataframe]
    table = next(each for each in shown if list(each)[-1].lower() == header[-1].lower())
    assert [list(row) for row in table.itertuples(index=False)] == rows
    app.multiselect[0].set_value([one.key, two.key]).run()
    assert not app.exception
    assert app.multiselect[0].proto.max_selections == len(LETTERS)  # a letter names each
    wanted = compare([one, two], app.selectbox[-1].value).headline
    assert wanted in said(app)
    app.multiselect[0].set_value([one.key, other.key]).run()
    assert not app.exception
    assert "seeds" in app.info[-1].value


def test_every_word_of_a_configuration_is_asked_for_or_said_by_the_page() -> None:
    form = simulation_form
    asked = {
        *form.SHOWN_FIRST,
        *form.FOLDED,
        "truth",
        *(n for s in form.OF_SOURCE.values() for n in s),
    }
    assert asked | set(form.NOT_ASKED) == set(SimulationConfig.model_fields)
    assert set(form.LABELS) == asked


def test_the_cost_counts_what_is_run_and_rests_on_rounds_that_were_timed(page: UiState) -> None:
    made = made_result(place(page) / "a", key="a" * 16)
    words = {
        "strategies": ["random", "margin"],
        "adaptations": ["linearised"],
        "baselines": [],
        "data": ["sample", "digits"],
    }
    config = SimulationConfig.of({**words, "seeds": 4, "labels": 25, "batch": [10, 20], "audit": 5})
    cost = cost_of(config, [made])
    assert (cost.arms, cost.rounds, cost.images) == (4, 2 * 4 * 2 * (3 + 2), 2 * 4 * 4 * 30)
    assert cost.seconds == pytest.approx(cost.rounds * 0.33)  # what made rounds took
    assert (
        cost_of(SimulationConfig.of({**words, "strategies": ["epig", "coverage"]}), [made]).seconds
        is None
    )


def test_a_report_runs_nothing_and_is_for_managers(site: Site) -> None:
    folder = site.workbench.session.folder.simulations
    made_result(folder / ("a" * 16), key="a" * 16)
    site = replace(site, has_routes=True)
    path = f"{site.state.routes}/simulations/{'a' * 16}/report"
    assert site.call(path, headers=site.cookie("manager")).status_code == 404
    (folder / ("a" * 16) / "report.html").write_text("<p>The report.</p>")
    reply = site.call(path, headers=site.cookie("manager"))
    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")
    assert site.call(path, headers=site.cookie("annotator")).status_code == 403
    for other in ("b" * 16, "a" * 15, "..", "A" * 16):
        away = path.replace("a" * 16, other)
        assert site.call(away, headers=site.cookie("manager")).status_code == 404
