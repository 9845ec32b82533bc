"""Projects of a home folder that are renamed, removed, replaced or linked while the server runs."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from alworkbench.core.errors import ProjectClosing, ProjectMissing
from alworkbench.project.project_folders import projects_in
from tests.ui.site import kept_site
from tests.ui.test_projects import Office, home, office
from ui.job_worker import JobWorker
from ui.served import Served

__all__ = ["home", "kept_site", "office"]


def found(office: Office) -> dict[str, Served]:
    """The projects as the disk has them now."""
    office.projects.look_again()
    return {each.key: each for each in office.projects.all()}


def test_a_project_that_moves_is_closed_before_it_is_opened_at_its_new_place(
    office: Office, home: Path
) -> None:
    office.projects.start()
    before = found(office)
    for each in before.values():
        office.projects.watch(each)
    kept = before["coins"].state()
    (home / "birds").rename(home / "owls")
    after = found(office)
    assert list(after) == ["coins", "owls"]
    assert after["coins"].state() is kept
    office.projects.watch(after["owls"])
    with pytest.raises(ProjectMissing):
        before["birds"].state()
    office.projects.watch(after["owls"])
    assert sum(each.name == "jobs-watch" for each in threading.enumerate()) == 2
    office.projects.stop(5)


def test_nobody_waits_without_end_for_a_project_that_is_being_closed(
    office: Office, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    found(office)["birds"].state()
    for name in ("ui.served.AFTER_SECONDS", "ui.served.AGAIN_SECONDS", "ui.projects.CLOSE_SECONDS"):
        monkeypatch.setattr(name, 0.0)
    monkeypatch.setattr(Served, "stop", lambda *_: gate.wait())
    (home / "birds").rename(home / "owls")
    owls = found(office)["owls"]
    with pytest.raises(ProjectClosing, match="owls is still being closed"):
        owls.state()
    office.projects.close()
    assert [each.getMessage().partition("closing-")[2] for each in caplog.records[-2:]] == [
        "birds goes on",
        "birds goes on",
    ]
    gate.set()


def test_a_project_that_was_stopped_begins_no_work(office: Office) -> None:
    birds = found(office)["birds"]
    birds.state()
    birds.stop(0)

    def make(_: object) -> JobWorker:
        raise AssertionError("a worker was made after the end")

    birds.watch(make)
    assert not any(each.name == "jobs-watch" for each in threading.enumerate())


def test_a_project_whose_records_are_replaced_is_opened_again(office: Office, home: Path) -> None:
    old = {key: each.state() for key, each in found(office).items()}
    shutil.copy(home / "birds" / "project.db", home / "birds" / "copy.db")
    (home / "birds" / "copy.db").replace(home / "birds" / "project.db")
    new = {key: each.state() for key, each in found(office).items()}
    assert {key: new[key] is old[key] for key in new} == {"birds": False, "coins": True}


def test_open_projects_stay_while_their_folders_cannot_be_read(
    office: Office, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found(office)
    states = {key: each.state() for key, each in before.items()}

    def unreadable(_home: Path) -> list[Path]:
        raise PermissionError("the disk is away")

    for looked in (unreadable, lambda _: [home / "coins"]):
        monkeypatch.setattr("ui.projects.projects_in", looked)
        assert {key: each.state() for key, each in found(office).items()} == states


def test_a_link_has_a_key_of_its_own_and_no_project_is_there_twice(
    office: Office, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    places = [tmp_path_factory.mktemp("elsewhere") for _ in range(2)]
    for each in places:
        shutil.copy(home / "birds" / "project.db", each / "project.db")
    (home / "a-link").symlink_to(home / "birds")
    (home / "newest").symlink_to(places[0])
    assert [each.name for each in projects_in(home)] == ["birds", "coins", "newest"]
    first = found(office)["newest"].state()
    (home / "newest").unlink()
    (home / "newest").symlink_to(places[1])
    second = found(office)["newest"].state()
    assert first is not second
    assert first.key == second.key == "newest"
    (home / "birds").rename(home / "owls")
    assert list(found(office)) == ["coins", "newest", "owls"]
