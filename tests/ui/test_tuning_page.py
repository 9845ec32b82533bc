"""Laws of prompt tuning in the browser: the answers are those of the command, and the project stays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app as commands
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    JobKind,
    JobState,
    LabelClass,
    PersonRole,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.project.kept_tuning import newest_estimate, newest_tuning
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import picture
from tests.ui.real_page import shown
from tests.ui.site import Site
from tests.ui.test_pages import draw
from ui.door.addresses import addresses_of
from ui.door.settings import Door
from ui.projects import Projects
from ui.state import UiState
from ui.views.parts import escape_markdown
from ui.views.prompt_tuning import changed_table, effect_in_words

NAMES = ("dress", "coat", "bag", "=*boot*")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiState]:
    """A project of the bundled model with four images and a labelled audit set of two."""
    root = tmp_path_factory.mktemp("tuned")
    for k in range(6):
        picture(root / ("pool" if k < 4 else "audit") / f"{k}.png", k)
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    store = create_store(root / "project", ProjectSettings("clothes"), classes, now)
    workbench = Workbench(ProjectFolder(root / "project"), store)
    workbench.images.add(root / "pool")
    workbench.images.add(root / "audit", role=Role.AUDIT)
    workbench.features.encode(workers=0)
    with store.write() as writer:
        for image, _ in writer.images.ids_and_hashes(Role.AUDIT):
            writer.labels.add(Answer(f"a{image}", image, AnswerKind.CLASS, "ada", 1), now)
    with shown(workbench) as installed:
        workbench.people.add("eve", PersonRole.REVIEWER)
        yield installed


def tune(page: UiState, button: str, **values: object) -> None:
    app = draw("classes")
    for element in (*app.selectbox, *app.number_input, *app.checkbox):
        name = (element.key or "").removeprefix("tune-").replace("-", "_")
        if name in values:
            element.set_value(values[name])
    app.button(key=button).click().run()
    assert not app.exception
    page.jobs.wait(60)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({"source": "audit", "views": 3}, ("--of", "audit", "--views", "3", "--yes")),
        ({"once": True, "most": 3}, ("--without-images", "--images", "3")),
    ],
)
def test_the_answers_are_those_of_the_command(
    page: UiState, tmp_path: Path, values: dict, options: tuple[str, ...]
) -> None:
    tune(page, "tune-start", **values)
    folder = page.workbench.session.folder
    file = tmp_path / "answers.csv"
    words = ["prompts", "tune", str(file), "--project", str(folder.path), "--device", "cpu"]
    done = CliRunner().invoke(commands, [*words, *options])
    assert done.exit_code == 0, done.output
    site = Site(
        page.workbench,
        [],
        Door(Projects.of(page), addresses_of("127.0.0.1", 8501, ())),
        has_routes=True,
    )
    found = newest_tuning(folder)
    address = f"{page.routes}/tuned?name={found.name}"
    for form, written in (("csv", file), ("json", file.with_suffix(".settings.json"))):
        reply = site.call(f"{address}&form={form}", headers=site.cookie("ada"))
        assert reply.content == written.read_bytes()
    for wrong in (f"{address}&form=..", f"{page.routes}/tuned?name=..&form=csv"):
        assert site.call(wrong, headers=site.cookie("ada")).status_code == 404
    assert site.call(address, headers=site.cookie("eve")).status_code == 403

    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    effect, audit = found.effect, "source" in values
    assert effect.images == len(rows) == (2 if audit else 3)
    assert effect.audit_images == (2 if audit else 0)
    app = draw("classes")
    assert escape_markdown(effect_in_words(found)) in [each.value for each in app.markdown]
    tables = [list(each.value.columns) for each in app.dataframe]
    assert (["Prompts", "Accuracy [95 %]", "ECE", "NLPD"] in tables) == audit
    assert (list(changed_table(effect).columns) in tables) == bool(effect.changed)


def test_an_estimate_and_a_limit_write_no_answer(page: UiState) -> None:
    folder = page.workbench.session.folder
    before = sorted(folder.tuned.rglob("answers.csv"))
    tune(page, "tune-estimate", views=5)
    estimate = newest_estimate(folder)
    assert (estimate.images, estimate.views) == (4, 20)
    assert "20 views to encode" in draw("classes").info[-1].value
    order = estimate.order.model_copy(update={"dry_run": False, "most_seconds": 0.0})
    given = {"do": "tune", "order": order.model_dump(mode="json")}
    page.jobs.start(JobKind.TUNE, "tune prompts", "ada", given)
    page.jobs.wait(60)
    newest = page.jobs.newest(JobKind.TUNE).job
    assert newest.state is JobState.FAILED
    assert "--" not in newest.reason
    assert "Raise the limit, take fewer images" in newest.reason
    assert sorted(folder.tuned.rglob("answers.csv")) == before
    app = draw("classes")
    app.selectbox(key="tune-objective").set_value("tpt")
    app.checkbox(key="tune-once").set_value(True)
    app.button(key="tune-start").click().run()
    assert "tpt has no penalty" in app.error[-1].value
