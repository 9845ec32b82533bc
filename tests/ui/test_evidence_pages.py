"""Laws of the pages of evidence: their numbers are the service's, and each cell leads to its images."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.words import chance_words, percent
from alworkbench.project.image_query import EvidenceSet, read_query
from alworkbench.project.workbench import Workbench
from alworkbench.report import project_savings
from alworkbench.simulation.kept import kept_simulations
from tests.making_project import answering, closing, make_project
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import draw, html, install, markdown, texts
from ui import state as ui_state
from ui.projects import Projects
from ui.state import UiState
from ui.views.gallery import address_of, asked_of

LINK = re.compile(r'<a href="([^"]+)"[^>]*>(?:Show )?([\d,]+)</a>')


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Path, Path, dict[str, str]]
) -> Iterator[Workbench]:
    project = make_project(tmp_path_factory.mktemp("pages") / "project", made)
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random", 4)
        answering(project)(workbench, 4)
        workbench.rounds.close()
        yield workbench


@pytest.mark.parametrize("source", EvidenceSet)
def test_each_number_leads_to_exactly_so_many_images(
    measured: Workbench, state: UiState, source: EvidenceSet
) -> None:
    page = UiState(measured)
    ui_state.install(Projects.of(page))
    before = len(measured.jobs.newest())
    app = draw("errors")
    if source is EvidenceSet.LEFT_OUT:
        app.segmented_control(key="errors-set").set_value(source).run()
    assert not app.exception
    page.jobs.wait(60)
    for each in ("errors", "calibration", "errors"):  # what is kept starts no job
        app = draw(each)
        app.segmented_control(key=f"{each}-set").set_value(source).run()
        page.jobs.wait(60)
    jobs = [each.order["of"] for each in measured.jobs.newest()[:-before]]
    assert jobs.count(source) == 1
    found = measured.audit.evidence.confusions(source)
    assert found is not None
    classes = measured.classes.current()
    links = LINK.findall(html(app))
    assert sum(int(n) for _, n in links) >= found.images
    for address, number in links:
        query = parse_qs(urlsplit(markup.unescape(address)).query)
        asked, unknown = asked_of({name: each[0] for name, each in query.items()}, classes)
        assert not unknown
        words = {"evidence": asked["evidence"]}
        words |= {name: [asked[name]] for name in ("classes", "predicted")}
        assert len(measured.gallery.selected(read_query({"filter": words}))) == int(number)
    assert percent(found.accuracy) in html(app)
    assert f"{percent(found.interval[0])} to {percent(found.interval[1])}" in html(app)


def test_a_target_is_kept_by_its_button_and_drawn_in_the_curve(
    measured: Workbench, state: UiState
) -> None:
    ui_state.install(Projects.of(UiState(measured)))
    app = draw("curves")
    assert measured.session.settings().target_accuracy is None
    app.number_input(key="advice-target").set_value(80).run()
    assert measured.session.settings().target_accuracy is None  # to look at is not to keep
    app.button(key="advice-keep").click().run()
    assert not app.exception
    assert measured.session.settings().target_accuracy == 0.8
    assert "This is the target of the project" in markdown(app)
    assert "target 80 %" in list(app.dataframe[1].value["Line"])
    newest = measured.measurements.all()[-1].values
    sentence = measured.audit.advise().because
    assert percent(newest["accuracy"]) in sentence
    assert sentence in markdown(app).replace("\\", "")


def test_what_labels_saved_is_said_as_reports_say_it(
    tmp_path: Path, state: UiState, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = FakeWorkbench(tmp_path / "saved")
    install(workbench)
    app = draw("curves")
    app.button(key="curves-simulations").click().run()
    assert app.session_state["went"] == "simulations"
    monkeypatch.setattr(project_savings, "of_own_labels", lambda _: True)
    simulations = workbench.session.folder.simulations
    kept = kept_simulations(simulations).finished
    (found,) = project_savings.project_savings(kept, workbench.audit.report().counterfactual)
    broken = simulations / "broken" / "result.json"
    broken.parent.mkdir()
    broken.write_text("{")
    app = draw("curves")
    assert not app.exception
    assert "broken" in app.warning[0].value
    assert "cut short" in app.warning[0].value
    assert len(kept_simulations(simulations).finished) == len(kept)
    assert found.headline in markdown(app).replace("\\", "")
    if found.lines:
        shown = [list(each.value.columns) for each in app.dataframe]
        assert list(found.lines[0]) in shown


def test_calibration_shows_the_figures_of_the_service(tmp_path: Path, state: UiState) -> None:
    workbench = FakeWorkbench(tmp_path / "calibrated")
    install(workbench)
    found = workbench.audit.evidence.calibration(EvidenceSet.AUDIT)
    assert found.after is not None
    assert found.sets is not None
    app = draw("calibration")
    assert not app.exception
    shown = html(app)
    for value in (found.after.ece, found.after.nlpd, found.after.brier, found.before.ece):
        assert f"{value:.3f}" in shown
    assert chance_words(found.after.ece_floor) in shown
    assert f"about {found.after.ece_floor:.3f} would be measured by chance" in shown
    assert percent(found.sets.held / found.sets.images) in shown
    assert found.in_use.words in texts(app).replace("\\", "")
    tables = [each.value for each in app.dataframe]
    assert int(tables[0]["Images"].sum()) == 2 * found.images  # before and after
    assert list(tables[1]["Taken for"]) == [each.name for each in found.by_class]


def test_pages_without_evidence_say_what_to_do_and_offer_it(tmp_path: Path, state: UiState) -> None:
    for page in ("errors", "calibration"):
        install(FakeWorkbench(tmp_path / page, audit=0))
        app = draw(page)
        assert "no audit set" in markdown(app)
        app.button(key="evidence-offer").click().run()
        assert app.session_state["went"] == "curves"
        app = draw(page)
        app.segmented_control(key=f"{page}-set").set_value(EvidenceSet.LEFT_OUT).run()
        assert "No label can be left out yet" in markdown(app)


def test_few_images_show_how_many_are_needed_and_no_figure(tmp_path: Path, state: UiState) -> None:
    install(FakeWorkbench(tmp_path / "few", audit=12))
    app = draw("calibration")
    assert "label 18 more" in markdown(app)
    assert "Calibration error" not in html(app)
    assert not app.dataframe
    draw("errors")
    app = draw("errors")
    assert app.dataframe[-1].value["Accuracy"].isna().all()  # an interval alone


def test_a_hundred_classes_stay_readable(tmp_path: Path, state: UiState) -> None:
    names = tuple(f"kind {i:03}" for i in range(100))
    install(FakeWorkbench(tmp_path / "many", names=names, audit=1000))
    app = draw("errors")
    assert not app.exception
    (chosen,) = app.multiselect
    assert len(chosen.value) == 15
    assert html(app).count('scope="row"') == 15
    assert len(app.dataframe[-1].value) == 100
    assert "most" in markdown(app).lower()


def test_an_address_names_a_cell_and_unknown_names_are_told(state: UiState) -> None:
    hostile = '<b>&"a=b'
    classes = ClassList((LabelClass("owl", id=1), LabelClass(hostile, id=2)), 1)
    address = address_of(state, EvidenceSet.LEFT_OUT, hostile, "owl")
    query = {name: each[0] for name, each in parse_qs(urlsplit(address).query).items()}
    asked, unknown = asked_of(query, classes)
    assert asked == {"evidence": "left-out", "classes": hostile, "predicted": "owl"}
    assert unknown == []
    asked, unknown = asked_of({"label": "gone", "evidence": "mine", "other": "x"}, classes)
    assert (asked, unknown) == ({}, ["gone", "mine"])
