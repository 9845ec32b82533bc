"""Laws of exports in the browser: byte for byte those of the command line, and nothing is replaced."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app as commands
from alworkbench.core.domain import Consensus, FoundImage, PersonRole, Role
from alworkbench.inputs.label_formats.registry import FORMATS, TABLES
from alworkbench.project import exports as exports_module
from alworkbench.project.exports import ExportOrder, Exports
from alworkbench.project.settings_change import change_settings
from tests.making_project import Project
from tests.ui.real_page import shown
from tests.ui.site import Site
from tests.ui.test_pages import draw, texts
from ui.door.addresses import addresses_of
from ui.door.settings import Door
from ui.projects import Projects
from ui.state import UiState


@pytest.fixture
def page(project: Project, answers: Callable) -> Iterator[UiState]:
    """A project with a round that two people answered, one of them with a name of markup."""
    with shown(project.open()) as installed:
        installed.workbench.people.add("eve", PersonRole.REVIEWER)
        installed.workbench.rounds.propose("random", 4)
        answers(installed.workbench, 3, "[b](http://x)")
        answers(installed.workbench, 1, "bo")
        yield installed


def by_command(project: Project, target: Path, *options: str) -> dict[str, bytes]:
    """What the command writes, by path."""
    command = ["export", str(target), "--project", str(project.folder), *options]
    done = CliRunner().invoke(commands, command)
    assert done.exit_code == 0, done.output
    return written(target)


def written(target: Path) -> dict[str, bytes]:
    if target.is_file():
        return {target.name: target.read_bytes()}
    return {
        each.relative_to(target).as_posix(): each.read_bytes()
        for each in target.rglob("*")
        if each.is_file()
    }


def site_of(page: UiState) -> Site:
    door = Door(Projects.of(page), addresses_of("127.0.0.1", 8501, ()))
    return Site(page.workbench, [], door, has_routes=True)


def test_a_download_has_the_bytes_of_the_command_in_every_format(
    page: UiState, project: Project, tmp_path: Path
) -> None:
    site = site_of(page)
    cookie = site.cookie("ada")
    for each in FORMATS:
        target = tmp_path / each.name / f"labels{each.suffixes[0] if each.suffixes else ''}"
        expected = by_command(project, target, "--format", each.name)
        reply = site.call(f"{page.routes}/export?format={each.name}", headers=cookie)
        assert reply.status_code == 200
        assert reply.headers["content-disposition"].startswith("attachment")
        if each.suffixes:
            assert {target.name: reply.content} == expected
            continue
        with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == expected


def test_options_of_a_download_are_those_of_the_command_and_odd_ones_are_refused(
    page: UiState, project: Project, tmp_path: Path
) -> None:
    site = site_of(page)
    cookie = site.cookie("ada")
    options = ["--history", "--role", "pool", "--annotator", "[b](http://x)"]
    expected = by_command(project, tmp_path / "labels.csv", *options)
    given = {"history": "1", "role": "pool", "annotator": "[b](http://x)"}
    reply = site.call(f"{page.routes}/export", params=given, headers=cookie)
    assert {"labels.csv": reply.content} == expected
    assert reply.content.count(b"\n") == 4
    audit = site.call(f"{page.routes}/export?role=audit", headers=cookie)
    assert audit.content.count(b"\n") == 25
    for each in TABLES:
        target = tmp_path / f"soft.{each}"
        expected = by_command(project, target, "--format", each, "--soft", "--role", "pool")
        reply = site.call(f"{page.routes}/export?format={each}&soft=1&role=pool", headers=cookie)
        assert {target.name: reply.content} == expected
    for wrong in ("format=coco&soft=1", "soft=1&history=1"):
        assert site.call(f"{page.routes}/export?{wrong}", headers=cookie).status_code == 409
    for wrong in ("format=exe", "role=other", "target=/etc/passwd", "history=yes"):
        assert site.call(f"{page.routes}/export?{wrong}", headers=cookie).status_code == 422
    assert site.call(f"{page.routes}/export", headers=site.cookie("eve")).status_code == 403


def test_the_page_shows_the_first_rows_and_writes_only_where_nothing_is(
    page: UiState, project: Project, tmp_path: Path
) -> None:
    jobs = page.workbench.jobs.newest()
    app = draw("export_page")
    assert not app.exception
    assert page.workbench.jobs.newest() == jobs
    assert "with different answers" not in texts(app)
    assert "10 of 28 records" in texts(app)
    assert not list(tmp_path.glob("out*"))

    def write(target: Any) -> Any:
        app.text_input(key="export-target").set_value(str(target)).run()
        return app.button(key="export-write").click().run()

    (tmp_path / "taken.csv").write_text("mine")
    for wrong in ("labels.csv", tmp_path / "taken.csv", tmp_path / "out.sh"):
        assert write(wrong).error
    assert (tmp_path / "taken.csv").read_text() == "mine"
    app.checkbox(key="export-soft").check().run()
    soft = app.dataframe[0].value
    assert [each for each in soft if each.startswith("p:")] == [
        f"p:{name}" for name in page.workbench.classes.current().names
    ]
    assert app.checkbox(key="export-history").disabled
    app.checkbox(key="export-soft").uncheck().run()
    write(tmp_path / "out.csv")
    page.jobs.wait(30)
    by_command(project, tmp_path / "expected.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert "Wrote 28 labels" in texts(draw("export_page"))


def test_a_page_drawn_again_reads_no_records_and_still_shows_each_change_of_them(
    page: UiState, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench, read = page.workbench, []
    export_of = exports_module.export_of

    def counted(*given: Any, **options: Any) -> Any:
        read.append(options)
        return export_of(*given, **options)

    monkeypatch.setattr(exports_module, "export_of", counted)
    orders = [ExportOrder(), ExportOrder(soft=True), ExportOrder(history=True)]
    orders += [ExportOrder(role=Role.POOL), ExportOrder(annotators=("bo",))]

    def looks(exports: Exports) -> list[Any]:
        rows = [exports.first_rows(order, 50) for order in orders]
        return [rows, exports.annotators(), exports.unsettled()]

    rows, _ = workbench.labels.exports.first_rows(ExportOrder(role=Role.AUDIT), 1)
    image = rows[0]["hash"]

    def find_again() -> None:
        place = FoundImage(image, "again.png", 1, 12, 12)
        with workbench.session.store.write() as writer:
            writer.images.add([place], (), root=str(tmp_path), role=Role.AUDIT)

    changes: list[Callable[[], object]] = [
        lambda: workbench.labels.undo("bo", "take-back"),
        lambda: workbench.notes.write([image], "ada", "blurred"),
        lambda: workbench.notes.flag([image], "ada"),
        lambda: workbench.classes.reorder(["dog"]),
        find_again,
        lambda: workbench.roles.change([image], Role.POOL, confirmed=True),
        lambda: change_settings(workbench.session, consensus=Consensus.DECIDING),
        workbench.team.reviews.open_disagreements,
    ]
    for change in changes:
        change()
        shown_now = looks(workbench.labels.exports)
        read.clear()
        assert looks(workbench.labels.exports) == shown_now
        assert not read
        assert shown_now == looks(Exports(workbench.session, workbench.labels.export))
