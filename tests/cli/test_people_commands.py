"""`alworkbench people`: accounts are made, listed and changed from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.errors import LastManager, WeakPassword
from tests.making_project import Project

PASSWORD = "four quiet words here"


def type_password(project: Project, *words: str, password: str = PASSWORD):
    return CliRunner().invoke(
        app,
        [*words, "--password-stdin", "--project", str(project.folder)],
        input=f"{password}\nmore\n",
    )


def test_people_are_added_listed_and_can_sign_in(run: Callable, project: Project) -> None:
    assert "no people" in run("people", "list").output
    added = type_password(project, "people", "add", "Ada L", "--role", "manager")
    assert added.exit_code == 0, added.output
    assert "`alworkbench people password 'Bob B'`" in run("people", "add", "Bob B").output
    listed = json.loads(run("people", "list", "--json").output)
    assert [(p["name"], p["role"], p["active"], p["has_password"]) for p in listed] == [
        ("Ada L", "manager", True, True),
        ("Bob B", "annotator", True, False),
    ]
    assert "argon2" not in run("people", "list", "--json").output
    with project.open() as workbench:
        assert workbench.people.sign_in("ada l", PASSWORD)


def test_changes_are_made_and_refusals_change_nothing(run: Callable, project: Project) -> None:
    run("people", "add", "Ada", "--role", "manager")
    run("people", "add", "Bob")
    assert isinstance(run("people", "disable", "Ada", ok=False).exception, LastManager)
    weak = type_password(project, "people", "password", "Bob", password="short")
    assert isinstance(weak.exception, WeakPassword)
    assert run("people", "password", "Bob", ok=False).exit_code == 2
    assert type_password(project, "people", "password", "Bob").exit_code == 0
    run("people", "role", "Bob", "manager")
    run("people", "disable", "Ada")
    run("people", "enable", "Ada")
    run("people", "disable", "Bob", "--force")
    with project.open() as workbench:
        assert [(p.name, p.role, p.active, p.has_password) for p in workbench.people.all()] == [
            ("Ada", "manager", True, False),
            ("Bob", "manager", False, True),
        ]


def test_a_made_password_is_printed_once_and_opens_the_door(
    run: Callable, project: Project
) -> None:
    said = json.loads(run("people", "add", "Ada", "--make-password", "--json").output)
    again = json.loads(run("people", "password", "Ada", "--make-password", "--json").output)
    assert said["password"] != again["password"]
    with project.open() as workbench:
        assert workbench.people.sign_in("ada", again["password"])
    assert again["password"] not in run("people", "list", "--json").output


@pytest.mark.parametrize("role", ["owner", "", "Manager "])
def test_an_unknown_role_is_refused(run: Callable, role: str) -> None:
    assert run("people", "add", "Ada", "--role", role, ok=False).exit_code == 2
    assert "no people" in run("people", "list").output
