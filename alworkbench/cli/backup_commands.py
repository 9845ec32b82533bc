"""The commands that back up a project and restore it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from alworkbench.api import restore as restore_project
from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    ServerOption,
    counted,
    opened,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench backup /mnt/backups/birds-1 --project birds")(backup)
    app.command(epilog="Example: alworkbench restore /mnt/backups/birds-1 birds-again")(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="New folder, best on another disk.")],
    project: ProjectOption = HERE,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Copy the pictures too, wherever they lie.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a project to a new folder, also while people label.

    The copy has the database, features, posteriors and learners, with the SHA-256 of each file.
    """
    with opened(project) as workbench, progress_bar(as_json) as progress:
        made = workbench.backup(target, with_images=with_images, progress=progress)
    if with_images and made.pictures_left_out:
        pictures = f" {counted(made.pictures_left_out, 'picture')} could not be copied: see doctor."
    elif with_images:
        pictures = ""
    else:
        pictures = " The pictures are not in it; --with-images copies them."
    tell(
        as_json,
        asdict(made),
        f"Backed up {made.project} to {target}: {counted(made.labels, 'label')} of "
        f"{counted(made.images, 'image')}, {counted(made.files, 'file')}, "
        f"{made.bytes / 2**20:,.1f} MiB.{pictures}",
    )


def restore(
    backup: Annotated[Path, typer.Argument(help="Folder that `alworkbench backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the project.")],
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project of a backup. Every byte is checked before anything is written."""
    with progress_bar(as_json) as progress:
        made = restore_project(backup, folder, server=server, progress=progress)
    tell(
        as_json,
        asdict(made),
        f"Restored {made.project} to {folder}: {counted(made.labels, 'label')} of "
        f"{counted(made.images, 'image')}. Next: alworkbench doctor --project {folder}",
    )
