"""A project that cannot be read or written: what people are told, and that the other projects work."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import ProjectBusy, ProjectReadOnly
from tests.ui.site import kept_site
from tests.ui.test_projects import FORM, PASSWORD, Office, guest, home, office
from ui.door.signing_in import let_in_everywhere
from ui.state import OF_PROJECTS, PREFIX

__all__ = ["home", "kept_site", "office"]


def refusing(error: Exception) -> Callable[..., Any]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


def both(office: Office) -> list[int]:
    """What a route of each project answers."""
    paths = [f"{OF_PROJECTS}/{key}/answered" for key in ("birds", "coins")]
    return [office.call(path).status_code for path in paths]


def test_a_guest_is_told_why_a_project_cannot_be_entered_and_not_sent_there_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = guest(home)
    with monkeypatch.context() as patched:
        patched.setattr(office.people("birds"), "add", refusing(ProjectReadOnly("birds")))
        reply = office.page("/label?p=birds")
        assert (reply.status_code, "read-only" in reply.text) == (503, True)
    assert office.page("/label?p=birds").headers["location"] == "/label?p=birds"
    # Where the project cannot be opened at all, the page itself says so, and leads nowhere else.
    (home / "dust").mkdir()
    (home / "dust" / "project.db").write_bytes(b"no database" * 1000)
    office.projects.look_again()
    assert (
        office.page("/label?p=dust").status_code == 404
    )  # no page of ours is behind the guard here
    office.projects.close()


def test_one_project_in_trouble_stops_no_sign_in_and_no_sign_out(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("birds", "coins"):
        office.people(key).add("Ada", PersonRole.ANNOTATOR, PASSWORD)
    form, birds = {"name": "Ada", "password": PASSWORD}, office.people("birds")

    def sign_in() -> int:
        return office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form).status_code

    def left_out() -> list[str]:
        found = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        caplog.clear()
        return [each for each in found if "was left out" in each and "birds" in each]

    busy, read_only = ProjectBusy("birds"), ProjectReadOnly("birds")
    for name, error in (("named", busy), ("sign_in", busy), ("let_in", read_only)):
        with monkeypatch.context() as patched:
            patched.setattr(birds, name, refusing(error))
            assert sign_in() == 303
            assert both(office) == [401, 200]
            assert left_out()
            if name != "sign_in":
                tokens = let_in_everywhere(office.projects, "Ada").tokens
                assert [each.key for each, _ in tokens] == ["coins"]
                assert left_out()
        office.call(f"{PREFIX}/door/out", "POST")

    for key in ("birds", "coins"):
        office.sign_in_to(key, "Ada")
    assert both(office) == [200, 200]
    with monkeypatch.context() as patched:
        patched.setattr(birds, "sign_out", refusing(read_only))
        reply = office.call(f"{PREFIX}/door/out", "POST")
    assert reply.headers["location"].endswith("said=part")
    assert left_out()
    assert both(office) == [401, 401]


def test_the_door_stays_open_to_a_browser_whose_only_project_is_in_trouble(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.people("coins").add("Ada", PersonRole.ANNOTATOR, PASSWORD)
    office.sign_in_to("birds", "annotator")
    monkeypatch.setattr(office.people("birds"), "who", refusing(ProjectBusy("birds")))
    monkeypatch.setattr(office.people("birds"), "all", refusing(ProjectBusy("birds")))
    shown = office.call(f"{PREFIX}/door")
    assert shown.status_code == 503
    assert re.search(r"Another command.*password", shown.text, re.DOTALL)
    form = {"name": "Ada", "password": PASSWORD}
    assert office.call(f"{PREFIX}/door", "POST", headers=FORM, data=form).status_code == 303
    assert both(office) == [503, 200]
    said = office.account()
    assert "as Ada, annotator" in said


def test_no_request_reads_the_home_folder_in_the_event_loop(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.sign_in_to("birds", "annotator")
    read = office.projects.all

    def in_a_thread() -> Any:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return read()

    monkeypatch.setattr(office.projects, "all", in_a_thread)
    assert both(office) == [200, 401]
    assert (
        office.page("/label?p=birds").status_code == 404
    )  # let in: no page of ours is behind the guard
    assert "as annotator" in office.account()
