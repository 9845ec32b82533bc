"""The command that lays the images out on a map of the features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    counted,
    opened,
    progress_bar,
    tell,
)
from alworkbench.core.words import percent


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command("map", epilog="Example: alworkbench map map.csv --project birds")(map_)


def map_(
    file: Annotated[Path, typer.Argument(help="A .csv file to write.")],
    layout: Annotated[
        Literal["pca", "umap"],
        typer.Option(
            help="`pca`: the two directions in which the features vary most. `umap` keeps neighbours "
            "together; it needs the package umap-learn and takes minutes."
        ),
    ] = "pca",
    anew: Annotated[
        bool, typer.Option("--anew", help="Compute the layout again, although it is stored.")
    ] = False,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Lay all images out on a map, on which images that the model sees alike lie close together.

    Columns of the file: path, hash, x, y. The layout is stored in the project; the page Map shows it.
    """
    from alworkbench.project.feature_map import Layout

    chosen = Layout(layout)
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if anew or not workbench.gallery.map.has(chosen):
            workbench.gallery.map.compute(chosen, progress)
        written = workbench.gallery.map.write(file, chosen, progress)
        found = workbench.gallery.map.positions(chosen)
    shares = (
        ""
        if found.shares is None
        else f" Both axes show {percent(sum(found.shares), 0)} of the variance."
    )
    newer = (
        f" {counted(found.newer, 'image')} came after it was computed and are left out (--anew)."
        if found.newer
        else ""
    )
    tell(
        as_json,
        {
            "file": file,
            "layout": chosen.value,
            "images": written,
            "fitted": found.fitted,
            "shares": found.shares,
            "newer": found.newer,
        },
        f"Wrote the places of {counted(written, 'image')} to {file}, fitted to "
        f"{counted(found.fitted, 'image')}.{shares}{newer}",
    )
