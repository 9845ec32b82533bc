"""The command that lists the encoders of open_clip."""

from __future__ import annotations

from typing import Annotated

import typer

from alworkbench.cli.common import JsonOption, console, escape, new_table, print_json, progress_bar


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench models SigLIP2")(models)


def models(
    part: Annotated[
        str | None, typer.Argument(help="List only architectures whose name contains this text.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the architectures of open_clip and say which are supported, without any download.

    P and Q are the input sizes of the last linear layer of the image and of the text tower, plus one
    if the layer has a bias. D is the size of an embedding.
    """
    from alworkbench.encoders.model_table import verdict
    from alworkbench.encoders.supported import architectures, as_row, supported_models

    with progress_bar(as_json) as progress:
        found = supported_models(architectures(part or ""), progress)
    if as_json:
        print_json([as_row(model) for model in found])
        return
    sizes = ("P", "D", "Q")
    table = new_table(
        "model", "image tower", "text tower", *sizes, "loss", "supported", right=sizes
    )
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].min_width = max(len(model.name) for model in found)
    for model in found:
        table.add_row(
            model.name,
            model.image.tower,
            model.text.tower,
            *(
                "" if size is None else str(size)
                for size in (model.image.size, model.embedding_size, model.text.size)
            ),
            model.loss,
            escape(verdict(model)),
        )
    console.print(table)
    console.print(
        f"{sum(model.supported for model in found)} of {len(found)} architectures are supported."
    )
