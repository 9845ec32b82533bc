"""The command that shows a round: as a table, as a file to fill in, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    counted,
    opened,
    print_json,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command("round", epilog="Example: alworkbench round 3 --csv round.csv --project birds")(
        round_
    )


def round_(
    number: Annotated[
        int | None,
        typer.Argument(min=1, help="Of the round. Default: the open round, or else the newest."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", help="Write all images to this .csv file.")
    ] = None,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="Only images without an answer.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show a round, or write its images to a file with a column `label` to fill in.

    Columns: image, path, hash, round, position, suggestion, suggestion_probability, calibration, score, label
    (empty without a class as the answer) and answer (class, skip, cannot_tell or empty). Fill in `label`
    and record the file with `alworkbench label FILE --annotator NAME`. Labels that stand in the file
    already are then recorded as answers of this person too: name the person who gave them, or write the
    file with --unanswered.
    """
    from alworkbench.cli.labelling import print_round
    from alworkbench.project.round_rows import round_rows, write_round

    with opened(project) as workbench:
        found = round_rows(workbench.session, number)
        if unanswered:
            found = found.without_answer()
        if file is not None:
            write_round(file, found)
        elif not as_json:
            print_round(workbench, found.round.id, as_json)
            return
    if file is None:
        print_json({"round": found.round, "score_unit": found.score_unit, "items": found.rows})
        return
    images = counted(len(found.rows), "image")
    already = found.answered
    told = (
        f" {counted(already, 'image')} had an answer before: give the file to `alworkbench label` with "
        f"`--annotator` and the name of the person who answered, or write it with `--unanswered`."
        if already
        else ""
    )
    tell(
        as_json,
        {
            "file": file,
            "round": found.round.number,
            "images": len(found.rows),
            "answered": already,
        },
        f"Wrote {images} of round {found.round.number} to {file}. Fill in the column label, then "
        f"`alworkbench label {file}`.{told}",
    )
