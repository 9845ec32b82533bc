"""Commands that show rounds: one as a table, as a file to fill in, or as JSON; and a list of all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    console,
    counted,
    escape,
    new_table,
    opened,
    print_json,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command("round", epilog="Example: alworkbench round 3 --csv round.csv --project birds")(
        round_
    )
    app.command(epilog="Example: alworkbench rounds --project birds")(rounds)


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


def rounds(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List all rounds, newest first: who opened and closed them, their answers, and what they bought.

    Accuracy is measured on the audit set; its change is against the measurement before.
    """
    from alworkbench.project.round_history import round_history

    with opened(project) as workbench, workbench.session.store.read() as reader:
        found = list(reversed(round_history(reader)))
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("No round was opened yet. Open one with `alworkbench propose`.")
        return
    table = new_table(
        "round", "strategy", "answers", "opened (UTC)", "by", "closed (UTC)", "by", "bought",
        right=("round", "answers"),
    )  # fmt: skip
    for each in found:
        of = each.round
        table.add_row(
            str(of.number),
            escape(of.strategy),
            f"{each.count.answers} of {each.count.wanted}",
            f"{of.opened_at:%Y-%m-%d %H:%M}",
            escape(of.opened_by),
            f"{of.closed_at:%Y-%m-%d %H:%M}" if of.closed_at else "open",
            escape(of.closed_by),
            each.bought.words if each.bought else "",
        )
    console.print(table)
