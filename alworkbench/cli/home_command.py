"""The command that lists the projects of a home folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from alworkbench.api import open_project
from alworkbench.cli.common import JsonOption, console, escape, new_table, print_json
from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import UnknownPerson, UnreadableSource, WorkbenchError


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench projects /data/labelling --person Ada")(projects)


def projects(
    home: Annotated[Path, typer.Argument(help="Folder whose direct subfolders are projects.")],
    person: Annotated[
        str | None, typer.Option(help="What waits for this person. Without it: for a manager.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the projects of a folder, how far they are, and the next step in each.

    With --person, those that this person may enter. A project that cannot be opened is listed with the
    reason.
    """
    from alworkbench.project.overview import read_overview
    from alworkbench.project.project_folders import projects_in

    table = new_table("folder", "images", "classes", "answers", "rounds closed", "next")
    found: list[dict[str, object]] = []
    names: set[str] = set()
    strange = 0
    try:
        folders = projects_in(home)
    except OSError as error:
        raise UnreadableSource(
            f"{home} cannot be read ({error.strerror or error}). Name the folder that holds the projects."
        ) from error
    for folder in folders:
        try:
            with open_project(folder, asked_by="the command line") as workbench:
                role = PersonRole.MANAGER
                if person is not None:
                    known = workbench.people.named(person)
                    if known is None:
                        names |= {each.name for each in workbench.people.all() if each.active}
                        strange += 1
                        continue
                    role = known.role
                seen = read_overview(workbench.session, person or "", role)
        except WorkbenchError as error:
            found.append({"folder": str(folder), "trouble": str(error)})
            table.add_row(escape(folder.name), "", "", "", "", escape(str(error)))
            continue
        found.append({"folder": str(folder), **asdict(seen)})
        figures = (seen.images, seen.classes, seen.answers, seen.rounds_closed)
        steps = " ".join(each.words for each in seen.steps)
        table.add_row(escape(folder.name), *(f"{each:,}" for each in figures), escape(steps))
    if person is not None and strange and all("trouble" in each for each in found):
        unread = [str(each["trouble"]) for each in found]
        raise UnknownPerson(person, names, f"The projects in {home} have", unread)
    if as_json:
        print_json(found)
    elif found:
        console.print(table)
    else:
        console.print(
            escape(f"{home} holds no project. Make one: alworkbench init {home}/NAME --class NAME"),
            soft_wrap=True,
        )
