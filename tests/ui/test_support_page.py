"""Laws of support sets in the browser: those of the command line, and nothing else can be fetched."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.project.kept_supports import kept_supports
from alworkbench.project.support_manifest import verify_manifest
from alworkbench.project.support_sets import Order, write_support
from tests.making_project import Project
from tests.ui.real_page import shown
from tests.ui.site import Site
from tests.ui.test_pages import draw, texts
from ui.door.addresses import addresses_of
from ui.door.settings import Door
from ui.projects import Projects
from ui.state import UiState
from ui.views.parts import escape_markdown
from ui.views.support_check import PLACE
from ui.views.support_set import set_title


@pytest.fixture
def page(project: Project, answers: Callable) -> Iterator[UiState]:
    with shown(project.open()) as installed:
        installed.workbench.people.add("eve", PersonRole.REVIEWER)
        yield installed


def reads_of(work: Callable[[], object]) -> set[str]:
    """Names of the files that are read meanwhile."""
    read: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read_bytes", "read_text"):
            whole = getattr(Path, name)

            def reading(path: Path, *args: str, whole: Callable = whole, **options: str) -> object:
                read.add(path.name)
                return whole(path, *args, **options)

            patch.setattr(Path, name, reading)
        work()
    return read


def test_a_set_is_chosen_in_a_job_and_equals_that_of_the_command(
    page: UiState, answers: Callable, tmp_path: Path
) -> None:
    app = draw("support_set")
    assert not app.exception
    assert "No image of the pool has a label" in app.info[0].value
    page.workbench.rounds.propose("random", 6)
    answers(page.workbench, 6)
    jobs = page.workbench.jobs.newest()
    app = draw("support_set")
    assert page.workbench.jobs.newest() == jobs
    app.number_input(key="support-per-class").set_value(2)
    app.selectbox(key="support-order").set_value(Order.ASKED).run()
    app.button(key="support-choose").click().run()
    page.jobs.wait(30)
    app = draw("support_set")
    assert not app.error
    expected = page.workbench.support_sets.choose(2, Order.ASKED)
    assert f"{len(expected.images)} images of 4 classes" in texts(app)
    for name, number in expected.missing.items():
        assert f"{name} {number}" in app.warning[0].value
    for image in expected.images:
        assert f"/image/{image.sha256}?" in app.get("html")[-1].proto.body

    (kept,) = kept_supports(page.workbench.session.folder)
    assert "support.json" not in reads_of(lambda: kept_supports(page.workbench.session.folder))
    assert "support.json" not in reads_of(app.run)  # it was read once
    later = replace(kept, at=kept.at + timedelta(seconds=1))
    assert set_title(kept) != set_title(later)

    site = Site(
        page.workbench,
        [],
        Door(Projects.of(page), addresses_of("127.0.0.1", 8501, ())),
        has_routes=True,
    )
    name = app.selectbox(key="support-set").value
    address = f"{page.routes}/support?name={name}"
    cookie = site.cookie("ada")
    for form in ("json", "csv"):
        write_support(tmp_path / f"support.{form}", expected)
        reply = site.call(f"{address}&form={form}", headers=cookie)
        assert reply.content == (tmp_path / f"support.{form}").read_bytes()
    write_support(tmp_path / "set", expected)
    reply = site.call(f"{address}&form=zip", headers=cookie)
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        files = {each.filename: archive.read(each) for each in archive.infolist()}
    inside = [each for each in (tmp_path / "set").rglob("*") if each.is_file()]
    assert files == {
        each.relative_to(tmp_path / "set").as_posix(): each.read_bytes() for each in inside
    }
    assert len(list(csv.DictReader(io.StringIO(files["manifest.csv"].decode())))) == len(
        json.loads(files["support.json"])["images"]
    )
    for wrong in (f"{address}&form=../order.json", address.replace(name, "..") + "&form=json"):
        assert site.call(wrong, headers=cookie).status_code == 404
    assert site.call(address, headers=site.cookie("eve")).status_code == 403
    checks_name_the_faults_of_the_command(page, name)


def checks_name_the_faults_of_the_command(page: UiState, name: str) -> None:
    """Of a kept set, and of a manifest on the server; a fault of every image has its row."""
    session = page.workbench.session
    manifest = session.folder.support / name / "support.json"
    draw("support_set").button(key="support-check").click().run()
    page.jobs.wait(30)
    app = draw("support_set")
    assert escape_markdown(verify_manifest(session, manifest).words) in app.success[0].value
    missing = manifest.parent / json.loads(manifest.read_text())["images"][0]["path"]
    missing.rename(away := missing.with_suffix(".away"))
    try:
        app.selectbox(key="support-check-set").set_value(PLACE).run()
        app.text_input(key="support-check-place").set_value("support.json")
        app.button(key="support-check").click().run()
        assert "whole path" in app.error[0].value
        app.text_input(key="support-check-place").set_value(str(manifest))
        app.button(key="support-check").click().run()
        page.jobs.wait(30)
        app = draw("support_set")
        found = verify_manifest(session, manifest)
        assert "1 of" in app.warning[-1].value
        shown_table = app.dataframe[0].value
        assert list(shown_table["Image"]) == [each.path for each in found.findings]
        assert list(shown_table["Fault"]) == ["Picture missing"]
    finally:
        away.rename(missing)  # all tests share it
