"""The command that writes the labels to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    complaints,
    escape,
    opened,
    tell,
)
from alworkbench.core.domain import Role


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench export labels.csv --project birds")(export)


def export(
    target: Annotated[Path, typer.Argument(help="File to write: .csv or .jsonl.")],
    project: ProjectOption = HERE,
    history: Annotated[
        bool, typer.Option("--history", help="Also write labels that were corrected or withdrawn.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the labels to a file, with the path and the content hash of each image.

    Says which labelled images have no file that still holds them: a path then names another picture, or none.
    """
    from alworkbench.project.image_files import file_faults, in_words

    with opened(project) as workbench:
        rows = workbench.labels.export(target, history=history)
        with workbench.session.store.read() as reader:
            content_of = {i: h for role in Role for i, h in reader.images.ids_and_hashes(role)}
            named = {content_of[label.image_id] for label in reader.labels.all()}
        faults = file_faults(workbench.session, named)
    tell(
        as_json,
        {"file": str(target), "rows": rows, "file_faults": faults},
        f"Wrote {rows} labels to {target}.",
    )
    if faults and not as_json:
        complaints.print(
            f"Labelled images without their file: {escape(in_words(faults))}. Their labels belong to the "
            f"content hash in the column hash, and not to what is at the path now.",
            soft_wrap=True,
        )
