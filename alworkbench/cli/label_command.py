"""The command that records labels from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    RolesOption,
    complaints,
    counted,
    escape,
    opened,
    tell,
)
from alworkbench.cli.dry_run import DryRunOption, print_label_preview
from alworkbench.cli.format_command import FormatOption
from alworkbench.cli.mapping_options import (
    LabelColumnOption,
    PathColumnOption,
    RootOption,
    SplitMapOption,
    read_mapping,
)
from alworkbench.core.domain import RoleMismatch
from alworkbench.project.import_words import label_words
from alworkbench.project.label_intake import LabelSummary

MOST_PATHS = 5
"""Paths that are named on the terminal; all are named with --json."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench label answers.csv --project birds --annotator ada")(
        label
    )


def label(
    source: Annotated[
        Path,
        typer.Argument(
            help="Table with image and label, or another export: `alworkbench formats`."
        ),
    ],
    project: ProjectOption = HERE,
    annotator: Annotated[
        str | None,
        typer.Option(
            help="Name of the person who gave the labels. They replace this person's older answers only.",
            show_default="csv",
        ),
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Record the events of an export as they were recorded: persons, times, rounds, take-backs.",
        ),
    ] = False,
    roles: RolesOption = RoleMismatch.REFUSE,
    format_: FormatOption = None,
    path_column: PathColumnOption = None,
    label_column: LabelColumnOption = None,
    split_map: SplitMapOption = None,
    root: RootOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record labels from a file: all of its rows, or none if one row is wrong.

    `image` holds a path or a content hash. Rows that say what counts already are not recorded again.
    Answers to images of the open round answer the round. An export is read as it is.
    """
    mapping = read_mapping(path_column, label_column, split_map, root)
    if history and (annotator is not None or mapping != read_mapping(None, None, None, None)):
        raise typer.BadParameter(
            "A history names its own persons, images and roles. Leave out --annotator and the options of "
            "columns, or leave out --history.",
            param_hint="--history",
        )
    who = annotator or "csv"
    with opened(project) as workbench:
        if dry_run:
            preview = workbench.labels.preview(
                source, who, roles, mapping=mapping, format=format_, history=history
            )
        elif history:
            done = workbench.labels.import_history(source, roles, format=format_)
        else:
            done = workbench.labels.import_file(source, who, roles, mapping=mapping, format=format_)
    if dry_run:
        print_label_preview(preview, as_json)
        if not as_json:
            warn_of_other_pictures(preview.would)
        return
    tell(as_json, done, label_words(done))
    if not as_json:
        warn_of_other_pictures(done)


def warn_of_other_pictures(done: LabelSummary) -> None:
    """Say on standard error which paths hold another picture than the one that the file means."""
    if done.other_pictures:
        more = len(done.other_pictures) - MOST_PATHS
        named = ", ".join(done.other_pictures[:MOST_PATHS]) + (f" and {more:,} more" * (more > 0))
        complaints.print(
            f"{counted(len(done.other_pictures), 'path')} of the file hold another picture now: "
            f"{escape(named)}. Their labels belong to the content hash in the file, and not to what is at "
            f"the path now.",
            soft_wrap=True,
        )
