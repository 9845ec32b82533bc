"""`alworkbench projects`: the projects of a folder, as Home lists them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alworkbench.cli.common import console
from alworkbench.cli.main import app
from alworkbench.core.errors import InvalidServing, UnknownPerson, UnreadableSource


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long path of the folder breaks the words of a cell over lines in a narrower one."""
    monkeypatch.setattr(console, "width", 1000)


def command(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_projects_are_listed_with_their_next_step_and_damaged_ones_with_the_reason(
    tmp_path: Path,
) -> None:
    assert "alworkbench init" in command("projects", str(tmp_path))
    for name in ("birds", "coins"):
        command("init", str(tmp_path / name), "--class", "a", "--class", "b")
    (tmp_path / "dust").mkdir()
    (tmp_path / "dust" / "project.db").write_bytes(b"no database" * 1000)
    found = json.loads(command("projects", str(tmp_path), "--json"))
    assert [Path(each["folder"]).name for each in found] == ["birds", "coins", "dust"]
    assert [each.get("classes") for each in found] == [2, 2, None]
    assert "cannot be read" in found[2]["trouble"]
    command("people", "add", "Ada", "--project", str(tmp_path / "birds"))
    shown = command("projects", str(tmp_path), "--person", "ada")
    assert all(word in shown for word in ("birds", "A manager imports them", "cannot be read"))
    assert "coins" not in shown  # Ada may not enter it
    done = CliRunner().invoke(app, ("projects", str(tmp_path), "--person", "Aida"))
    assert isinstance(done.exception, UnknownPerson)
    assert "Did you mean 'Ada'?" in str(done.exception)
    unread = f"may have this person: The database project.db in {tmp_path / 'dust'} cannot be read"
    assert unread in str(done.exception)
    done = CliRunner().invoke(app, ("projects", str(tmp_path / "nowhere")))
    assert isinstance(done.exception, UnreadableSource)


def test_a_home_and_a_project_are_not_served_at_once(tmp_path: Path) -> None:
    words = ("serve", "--home", str(tmp_path), "--project", str(tmp_path / "birds"))
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InvalidServing)
