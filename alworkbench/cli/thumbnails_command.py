"""The command that makes the small pictures of the grid before anybody looks at them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    complaints,
    counted,
    escape,
    opened,
    progress_bar,
    tell,
)

MOST_SHOWN = 5
"""Failures that are told one by one."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench thumbnails --project birds")(thumbnails)


def thumbnails(
    project: ProjectOption = HERE,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures made at once. Default: the number of cores."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the small pictures of the grid for all images, so that it shows them at once.

    Without this command they are made when they are first looked at. It can be interrupted: the same command
    goes on with those that are missing. They lie in the folder `thumbnails` of the project, which may be
    deleted at any time.
    """
    with opened(project) as workbench, progress_bar(as_json) as progress:
        found = workbench.images.renditions.thumbnails(
            progress, threads=threads or os.cpu_count() or 1
        )
    tell(
        as_json,
        found,
        f"Made {counted(found.made, 'thumbnail')}; {found.known:,} were there, or are as small as one.",
    )
    if as_json or not found.failed:
        return
    complaints.print(f"{counted(len(found.failed), 'image')} cannot be shown:")
    for reason in found.failed[:MOST_SHOWN]:
        complaints.print(f"  {escape(reason)}", soft_wrap=True)
    if len(found.failed) > MOST_SHOWN:
        complaints.print(
            f"  and {len(found.failed) - MOST_SHOWN:,} more; see `alworkbench doctor`."
        )
