"""The command that writes the labels to a file."""

from __future__ import annotations

from dataclasses import asdict
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
from alworkbench.cli.format_command import FormatOption
from alworkbench.core.domain import Role


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench export labels.csv --project birds")(export)


def export(
    target: Annotated[Path, typer.Argument(help="File or folder to write, such as labels.csv.")],
    project: ProjectOption = HERE,
    history: Annotated[
        bool, typer.Option("--history", help="Also write labels that were corrected or withdrawn.")
    ] = False,
    format_: FormatOption = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link/--copy", help="In formats with pictures: link to the pictures, or copy them."
        ),
    ] = False,
    role: Annotated[
        Role | None, typer.Option(help="Only labels of the pool, or of the audit set.")
    ] = None,
    annotator: Annotated[
        list[str] | None,
        typer.Option(help="Only labels of this person; repeat the option for several."),
    ] = None,
    soft: Annotated[
        bool,
        typer.Option(
            "--soft", help="One row for each image, with the share of each class in all answers."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the labels to a file, with the path and the content hash of each image.

    Says which labelled images have no file that still holds them: a path then names another picture, or none.
    """
    from alworkbench.project.exports import left_out_notes, written_words
    from alworkbench.project.image_files import file_faults, in_words

    with opened(project) as workbench:
        written = workbench.labels.export(
            target,
            format=format_,
            history=history,
            place="link" if link else "copy",
            role=role,
            annotators=annotator or (),
            soft=soft,
        )
        with workbench.session.store.read() as reader:
            content_of = {i: h for role in Role for i, h in reader.images.ids_and_hashes(role)}
            named = {content_of[label.image_id] for label in reader.labels.all()}
        faults = file_faults(workbench.session, named)
    tell(
        as_json,
        {"file": str(target), **asdict(written), "file_faults": faults},
        written_words(written, target),
    )
    if not as_json:
        for note in left_out_notes(written):
            complaints.print(escape(note), soft_wrap=True)
    if faults and not as_json:
        complaints.print(
            f"Labelled images without their file: {escape(in_words(faults))}. Their labels belong to the "
            f"content hash in the column hash, and not to what is at the path now.",
            soft_wrap=True,
        )
