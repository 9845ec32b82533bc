"""Laws of the import page: it looks first, acts as the service does, and drawing it writes nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from alworkbench.core.domain import (
    ClassList,
    JobKind,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
)
from alworkbench.core.errors import OutputUnwritable
from alworkbench.project.exports import ExportOrder
from alworkbench.project.import_orders import Brought, ImportOrder
from alworkbench.project.incoming import kind_of
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import NAMES, Project, picture
from tests.ui.real_page import shown
from tests.ui.test_pages import draw, texts
from ui.state import UiState
from ui.views import import_form
from ui.views.import_form import with_order

MARKED = "[link](http://evil) <b>:red[x]"


@pytest.fixture
def page(tmp_path: Path, made: object) -> Iterator[UiState]:
    """The installed state over a new project without images, whose jobs run in this process."""
    settings = ProjectSettings("new", encoder="features:toy")
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    folder = tmp_path / "new"
    store = create_store(folder, settings, classes, Project(folder, folder, {}).clock())
    with shown(Workbench(ProjectFolder(folder), store)) as installed:
        yield installed


def test_images_are_looked_at_imported_given_features_and_lead_to_the_first_round(
    page: UiState, made: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    workbench = page.workbench
    app = draw("import_page")
    assert not app.exception
    assert not workbench.jobs.newest()
    app.text_input(key="import-path").set_value("photos").run()
    app.button(key="import-look").click().run()
    assert "whole path" in texts(app)

    broken = tmp_path / "photos"
    picture(broken / "1.png", 1)
    (broken / f"{MARKED.replace('/', '')}.png").write_bytes(b"broken")
    app.text_input(key="import-path").set_value(str(broken)).run()
    app.button(key="import-look").click().run()
    page.jobs.wait(30)
    app = draw("import_page")
    assert "1 new image," in texts(app).replace("\\", "")
    assert "Nothing is stored yet" in texts(app)
    assert workbench.status().pool_images == 0
    app.button(key="import-discard").click().run()
    assert not workbench.incoming.reports()
    assert not [each for each in app.button if each.key == "import-now"]

    app.text_input(key="import-path").set_value(str(made[0] / "pool")).run()
    app.button(key="import-look").click().run()
    page.jobs.wait(30)
    app = draw("import_page")
    app.button(key="import-now").click().run()
    page.jobs.wait(30)
    assert workbench.status().pool_images == 40
    app.text_input(key="import-path").set_value(str(made[0] / "pool")).run()
    app.button(key="import-look").click().run()
    page.jobs.wait(30)
    app = draw("import_page")
    assert "There is nothing to import" in texts(app)
    assert "Import takes the same options" not in texts(app)
    assert not [each for each in app.button if each.key == "import-now"]

    app = draw("import_page")
    assert "40 images" in app.button(key="encode-now").label
    app.segmented_control(key="import-what").set_value("features").run()
    app.text_input(key="import-path").set_value(str(made[1])).run()
    app.button(key="import-look").click().run()
    page.jobs.wait(30)
    app = draw("import_page")
    app.button(key="import-now").click().run()
    page.jobs.wait(60)
    app = draw("import_page")
    assert not app.error
    jobs = workbench.jobs.newest()
    app.button(key="import-start").click().run()
    assert app.session_state["went"] == "label"
    page.jobs.wait(60)
    assert workbench.rounds.current() is not None
    (ranked,) = workbench.jobs.newest()[: -len(jobs)]
    assert {ranked.kind} | {job.asked_by for job in (ranked, *jobs)} == {JobKind.RANK, "ada"}


def test_what_is_sent_is_stored_only_as_long_as_it_can_be_imported(
    page: UiState, monkeypatch: pytest.MonkeyPatch, made: tuple[Path, Path, dict[str, str]]
) -> None:
    errors: list[str] = []
    browser = SimpleNamespace(error=errors.append, rerun=lambda: None, session_state={})
    folder = page.workbench.session.folder

    def stored() -> list[Path]:
        return list(folder.images.glob("*"))

    def look(path: str = "", **options: object) -> None:
        pictures = sorted((made[0] / "pool").iterdir())[:2]
        sent = [] if path else [io.BytesIO(each.read_bytes()) for each in pictures]
        for each, place in zip(sent, pictures, strict=False):
            each.name = place.name
        with monkeypatch.context() as direct:
            direct.setattr(import_form, "st", browser)
            import_form._look(page, Brought.IMAGES, path or sent, options)

    look(audit=True, split_map="train=pool")
    assert "Choose one of the two" in errors.pop()
    assert not stored()
    with monkeypatch.context() as busy:
        busy.setattr(page.jobs, "start", lambda *_: False)
        look()
    assert "Another import" in errors.pop()
    assert not stored()
    look()
    page.jobs.wait(30)
    assert not errors
    (first,) = stored()
    look()
    page.jobs.wait(30)
    (second,) = stored()
    assert first != second  # another look took the place of the first
    before = page.workbench.incoming.reports()[0]
    app = draw("import_page")
    app.radio(key="import-from").set_value(import_form.FILES).run()
    assert app.button(key="import-look").disabled  # until other files have arrived
    app.checkbox(key="import-audit-set").set_value(True).run()
    app.button(key="import-look-again").click().run()
    page.jobs.wait(30)
    assert not errors
    assert stored() == [second]
    now = page.workbench.incoming.reports()[0]
    assert now.order == before.order.model_copy(update={"audit": True})
    page.workbench.incoming.import_images(page.workbench.incoming.reports()[0].order)
    look(str(made[0] / "pool"))
    page.jobs.wait(30)
    assert stored() == [second]  # its pictures are in the project


def test_a_live_import_is_shown_with_what_remains_and_is_cancelled_by_its_button(
    page: UiState,
) -> None:
    jobs = page.workbench.jobs
    with jobs.claim(JobKind.ENCODE, lambda: MARKED) as told:
        told("encoding images", 30, 100)
        app = draw("import_page")
        assert not app.exception
        assert app.button(key="import-look").disabled
        (bar,) = app.get("progress")
        assert "30 of 100" in bar.proto.text
        assert "left" in bar.proto.text
        assert r"\[link\]" in app.header[0].value
        (button,) = (each for each in app.button if each.label == "Cancel")
        button.click().run()
        assert jobs.newest()[0].cancel_asked


def test_an_error_goes_when_something_newer_succeeded_or_it_was_dropped(
    page: UiState, made: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    workbench = page.workbench

    def ask(source: Path) -> None:
        order = ImportOrder(what=Brought.IMAGES, location=source)
        page.jobs.start(kind_of(order), "look", "ada", with_order("check", order))
        page.jobs.wait(30)

    (tmp_path / "none").mkdir()
    ask(tmp_path / "none")
    (error,) = draw("import_page").error
    assert "it holds no file" in error.value
    ask(made[0] / "pool")
    assert not draw("import_page").error

    # An export has the same kind, and a page of its own.
    with pytest.raises(OutputUnwritable):
        workbench.labels.exports.write(ExportOrder(target=tmp_path / "none"))
    assert not draw("import_page").error
    (error,) = draw("export_page").error
    assert "there already" in error.value
    ask(tmp_path / "none")
    assert draw("import_page").error
    assert "there already" in draw("export_page").error[0].value

    # What was sent and cannot be read is said once, and by its name; dropped, it is not said any more.
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w"):
        pass
    empty.seek(0)
    ask(workbench.incoming.uploads.keep([("empty.zip", empty)]))
    app = draw("import_page")
    (error,) = app.error
    words = error.value.replace("\\", "")
    assert words == (
        "empty.zip is empty: it holds no file. Pack the folder with the images into a new archive, or "
        "choose another one."
    )
    app.button(key="import-discard").click().run()
    assert not app.error
