"""Which encoders can be used."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from alworkbench.cli.common import JsonOption, console, escape, print_json, progress_bar


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench models SigLIP2")(models)


def models(
    part: Annotated[
        str | None, typer.Argument(help="Only architectures with this in their name.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List open_clip's architectures: which can be used, and why not the others. Fetches nothing."""
    from alworkbench.encoders.model_table import verdict
    from alworkbench.encoders.supported import architectures, as_row, supported_models

    with progress_bar(as_json) as progress:
        found = supported_models(architectures(part or ""), progress)
    if as_json:
        print_json([as_row(model) for model in found])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("model", "image tower", "text tower", "P", "D", "Q", "loss", "supported"):
        table.add_column(
            heading,
            header_style="bold",
            justify="right" if len(heading) == 1 else "left",
            min_width=max(len(m.name) for m in found) if heading == "model" else None,
            overflow="fold",
        )
    for model in found:
        sizes = (model.image.size, model.embedding_size, model.text.size)
        table.add_row(
            model.name,
            model.image.tower,
            model.text.tower,
            *("" if size is None else str(size) for size in sizes),
            model.loss,
            escape(verdict(model)),
        )
    console.print(table)
    console.print(f"{sum(model.supported for model in found)} of {len(found)} are supported.")
