"""The command that checks a whole project."""

from __future__ import annotations

from dataclasses import asdict

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

MOST_FILES = 20
"""Files that are printed."""
EXIT_CODE = 4
"""Where something was found: that of errors in data."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench doctor --project birds")(doctor)


def doctor(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Check everything: database, image files by their full content, features, posterior and learner.

    Says what is wrong and how to mend it, and then ends with exit code 4. Labels never change.
    """
    from alworkbench.project.checkup import check_up

    with opened(project) as workbench, progress_bar(as_json) as progress:
        found = check_up(workbench.session, progress)
    if as_json:
        print_json({**asdict(found), "healthy": found.healthy})
    elif found.healthy:
        console.print(
            f"Nothing is wrong with {escape(str(project))}: {counted(found.images, 'image')} checked."
        )
    else:
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
            complaints.print(
                f"  and {len(found.files) - MOST_FILES} more files (--json prints all)"
            )
    if not found.healthy:
        raise typer.Exit(EXIT_CODE)
