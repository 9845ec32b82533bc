"""The command that changes the roles of images: from the pool to the audit set, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import HERE, JsonOption, ProjectOption, opened, tell
from alworkbench.core.domain import Role


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench role audit --from checked.csv --project birds")(role)


def role(
    new: Annotated[
        Role,
        typer.Argument(
            metavar="ROLE",
            help="audit: the images measure and never teach. pool: they are asked, and their labels teach.",
        ),
    ],
    images: Annotated[
        list[str] | None, typer.Argument(help="Paths, ends of paths or content hashes.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Also the images in the column `image` of this file."),
    ] = None,
    project: ProjectOption = HERE,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Change what the model has learned from, or will learn."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Change the role of images on purpose: all of them, or none. Their labels stay as they are.

    The command says how many of them the model has learned from, and changes these with --yes only.
    """
    from alworkbench.inputs.label_formats.reading import read_image_names

    named = [*(images or []), *(read_image_names(file) if file else [])]
    if not named:
        raise typer.BadParameter("Name images, or a file with the option --from.")
    with opened(project) as workbench:
        done = workbench.roles.change(named, new, confirmed=yes)
    known = f" {done.known} had this role already." if done.known else ""
    tell(as_json, done, f"{done.consequence}{known}")
