"""The command that checks a whole project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    counted,
    escape,
    opened,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from alworkbench.project.checkup import Checkup
    from alworkbench.project.repairs import Repair
    from alworkbench.project.session import Session

MOST_FILES = 20
"""Files that are printed."""
EXIT_CODE = 4
"""Where something was found: that of errors in data."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench doctor --project birds")(doctor)


def doctor(
    project: ProjectOption = HERE,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Offer each repair, after a copy of the database was made."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="With --repair: do not ask, repair everything.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check everything: database, image files by their full content, features, posterior and learner.

    Says what is wrong and how to mend it, and then ends with exit code 4. Labels never change.
    """
    from alworkbench.project.checkup import check_up

    if as_json and repair and not yes:
        raise typer.BadParameter("it cannot ask: add --yes", param_hint="--json")
    with opened(project) as workbench:
        with progress_bar(as_json) as progress:
            found = check_up(workbench.session, progress)
        if not as_json:
            print_checkup(found, project)
        done, copy = _mend(workbench.session, found.repairs, yes) if repair else ([], None)
    left = [each for each in found.findings if each.part not in done]
    if as_json:
        print_json(
            {
                "images": found.images,
                "findings": found.findings,
                "files": found.files,
                "repairs": [
                    {"name": each.name, "found": each.found, "does": each.does}
                    for each in found.repairs
                ],
                "healthy": found.healthy,
                "repaired": done,
                "database_copy": copy,
            }
        )
    if left:
        raise typer.Exit(EXIT_CODE)


def _mend(session: Session, repairs: Sequence[Repair], yes: bool) -> tuple[list[str], Path | None]:
    """Offer each repair; returns the names of those that were done, and the copy of the database."""
    from alworkbench.project.repairs import copy_before_repairs

    done: list[str] = []
    copy: Path | None = None
    for each in repairs:
        words = f"[bold]{escape(each.name)}[/]: {escape(each.found)}. {escape(each.does)}"
        complaints.print(words, soft_wrap=True)
        if not yes and not typer.confirm(f"Repair {each.name}?", default=False, err=True):
            continue
        if copy is None:
            copy = copy_before_repairs(session)
            complaints.print(f"The database is copied to {escape(copy.name)}.", soft_wrap=True)
        each.apply()
        done.append(each.name)
        complaints.print(f"Done: {escape(each.name)}.", soft_wrap=True)
    return done, copy


def print_checkup(found: Checkup, project: Path) -> None:
    """Print what was found, or that nothing is wrong."""
    if found.healthy:
        console.print(
            f"Nothing is wrong with {escape(str(project))}: {counted(found.images, 'image')} checked."
        )
    for each in found.findings:
        complaints.print(
            f"[bold]{escape(each.part)}[/]: {escape(each.problem)}. {escape(each.remedy)}",
            soft_wrap=True,
        )
    for file in found.files[:MOST_FILES]:
        complaints.print(
            f"  {file.fault}: {escape(file.path)}: {escape(file.detail)}", soft_wrap=True
        )
    if len(found.files) > MOST_FILES:
        complaints.print(f"  and {len(found.files) - MOST_FILES} more files (--json prints all)")
