"""Commands for the people of a project: who may sign in to the screens, and what each may do."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    opened,
    print_json,
    print_lines,
    tell,
)
from alworkbench.core.domain import Person, PersonRole
from alworkbench.project.passwords import made_password

NameArgument = Annotated[str, typer.Argument(help="Name of the person.")]
PasswordOption = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from the first line of standard input."
    ),
]
MakeOption = Annotated[
    bool,
    typer.Option("--make-password", help="Make a random password, and print it once."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Also if this is the last active manager.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    group = typer.Typer(
        help="List, add and change the people who sign in to the screens.", no_args_is_help=True
    )
    group.command("list", epilog="Example: alworkbench people list --project birds")(list_)
    group.command(epilog="Example: alworkbench people add Ada --role manager --project birds")(add)
    group.command(epilog="Example: alworkbench people role Ada reviewer --project birds")(role)
    group.command(epilog="Example: alworkbench people password Ada --project birds")(password)
    group.command(epilog="Example: alworkbench people disable Ada --project birds")(disable)
    group.command(epilog="Example: alworkbench people enable Ada --project birds")(enable)
    app.add_typer(group, name="people")


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the people of the project, each with the role."""
    with opened(project) as workbench:
        people = workbench.people.all()
    if as_json:
        print_json(people)
        return
    if not people:
        tell(False, people, "This project has no people. `alworkbench people add NAME` adds one.")
        return
    rows = [
        (
            each.name,
            each.role.value,
            "active" if each.active else "disabled",
            "password" if each.has_password else "no password",
            f"{each.created_at:%Y-%m-%d}",
        )
        for each in people
    ]
    print_lines([("name", "role", "state", "sign-in", "added"), *rows])


def add(
    name: NameArgument,
    role: Annotated[
        PersonRole,
        typer.Option(
            help="annotator: labels. reviewer: also decides where answers differ. "
            "manager: also opens and closes rounds, and changes the project."
        ),
    ] = PersonRole.ANNOTATOR,
    project: ProjectOption = HERE,
    password_stdin: PasswordOption = False,
    make_password: MakeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a person. A terminal asks for the password; an empty one adds a person without a password.

    Answers are recorded under the name, which cannot be changed later.
    """
    given = made_password() if make_password else read_password(name, password_stdin)
    with opened(project) as workbench:
        person = workbench.people.add(name, role, given)
    how = (
        ""
        if person.has_password
        else f" A password is missing: `alworkbench people password {shlex.quote(person.name)}` sets one."
    )
    _tell(
        as_json, person, f"Added {person.name!r} as {person.role.value}.{how}", make_password, given
    )


def role(
    name: NameArgument,
    new: Annotated[PersonRole, typer.Argument(metavar="ROLE", help="annotator, reviewer, manager")],
    project: ProjectOption = HERE,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change what a person may do. It counts at once, also where the person is signed in."""
    with opened(project) as workbench:
        person = workbench.people.change_role(name, new, force=force)
    tell(as_json, person, f"{person.name!r} is {person.role.value} now.")


def password(
    name: NameArgument,
    project: ProjectOption = HERE,
    password_stdin: PasswordOption = False,
    make_password: MakeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set a new password. The person is signed out everywhere."""
    with opened(project) as workbench:
        workbench.people.get(name)
        given = made_password() if make_password else read_password(name, password_stdin)
        if given is None:
            raise typer.BadParameter("No password was given. Nothing was changed.")
        person = workbench.people.set_password(name, given)
    said = f"{person.name!r} has a new password, and is signed out everywhere."
    _tell(as_json, person, said, make_password, given)


def disable(
    name: NameArgument,
    project: ProjectOption = HERE,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sign a person out everywhere and refuse new sign-ins. The answers of the person stay."""
    with opened(project) as workbench:
        person = workbench.people.disable(name, force=force)
    tell(as_json, person, f"{person.name!r} is disabled and signed out everywhere.")


def enable(name: NameArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Let a disabled person sign in again."""
    with opened(project) as workbench:
        person = workbench.people.enable(name)
    tell(as_json, person, _enabled(person))


def _enabled(person: Person) -> str:
    return f"{person.name!r} may sign in again, as {person.role.value}."


def _tell(as_json: bool, person: Person, words: str, made: bool, password: str | None) -> None:
    """Print what was done, and a password that was made: it is stored nowhere as it is."""
    if not made:
        tell(as_json, person, words)
        return
    value = {"person": person, "password": password}
    tell(as_json, value, f"{words} The password is {password}; it is not shown again.")


def read_password(name: str, from_stdin: bool) -> str | None:
    """The password: a line of standard input, or asked for twice on a terminal. None: none was given."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        return None
    given: str = typer.prompt(
        f"Password of {name} (empty: none)",
        default="",
        hide_input=True,
        show_default=False,
        confirmation_prompt=True,
    )
    return given or None
