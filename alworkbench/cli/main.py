"""The command line: `alworkbench COMMAND`, joined from the groups in `alworkbench.cli`.

Exit codes: 0 done, 2 the command was not understood, those of `alworkbench.core.errors`, 70 for an error
that nobody foresaw, 130 interrupted.
Heavy parts are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from alworkbench import __version__
from alworkbench.cli import (
    backup_commands,
    calibrate_commands,
    campaign_commands,
    class_commands,
    datasets,
    doctor_command,
    evidence_commands,
    explaining,
    export_command,
    format_command,
    gallery_command,
    home_command,
    job_commands,
    label_command,
    labelling,
    map_command,
    method_commands,
    models,
    note_commands,
    people_commands,
    posterior,
    predicting,
    project_commands,
    prompt_commands,
    replaying,
    report,
    role_command,
    round_command,
    screens,
    set_command,
    simulating,
    simulations_command,
    support,
    team_commands,
    thumbnails_command,
)
from alworkbench.cli.common import complaints, console, escape
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import CANNOT_WRITE, OutputUnwritable, WorkbenchError
from alworkbench.core.unexpected import EXIT_CODE, keep_trace, what_to_do, without_passwords

GROUPS: tuple[tuple[str, Callable[[typer.Typer], None]], ...] = (
    ("Project", project_commands.register),
    ("Project", set_command.register),
    ("Project", role_command.register),
    ("Project", export_command.register),
    ("Project", format_command.register),
    ("Project", doctor_command.register),
    ("Project", backup_commands.register),
    ("Project", thumbnails_command.register),
    ("Project", screens.register),
    ("Project", home_command.register),
    ("Project", people_commands.register),
    ("Project", class_commands.register),
    ("Project", prompt_commands.register),
    ("Model and posterior", posterior.register),
    ("Model and posterior", models.register),
    ("Labelling", labelling.register),
    ("Labelling", label_command.register),
    ("Labelling", round_command.register),
    ("Labelling", gallery_command.register),
    ("Labelling", map_command.register),
    ("Labelling", note_commands.register),
    ("Labelling", team_commands.register),
    ("Labelling", job_commands.register),
    ("Labelling", method_commands.register),
    ("Labelling", explaining.register),
    ("Labelling", predicting.register),
    ("Labelling", support.register),
    ("Campaign", campaign_commands.register),
    ("Campaign", evidence_commands.register),
    ("Campaign", replaying.register),
    ("Simulation", simulating.register),
    ("Simulation", simulations_command.register),
    ("Simulation", report.register),
    ("Simulation", datasets.register),
    ("Simulation", calibrate_commands.register),
)
"""Whose commands stand under which heading of `--help`, in this order."""

app = typer.Typer(
    name="alworkbench",
    help="Label the images that teach most: active learning with a vision-language model's posterior.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

for heading, register in GROUPS:
    commands = typer.Typer()
    register(commands)
    for command in commands.registered_commands:
        command.rich_help_panel = heading
    for group in commands.registered_groups:
        group.rich_help_panel = heading
    app.registered_commands += commands.registered_commands
    app.registered_groups += commands.registered_groups


def main() -> None:
    """Entry point of the console command."""
    try:
        app()
    except WorkbenchError as error:
        complaints.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        complaints.print(
            "Interrupted. Finished work is kept; run the same command again to resume."
        )
        sys.exit(130)
    except OSError as error:
        if error.errno not in CANNOT_WRITE or error.filename is None:
            _end_unexpectedly(error)
        told = OutputUnwritable(error.filename, error.strerror or str(error))
        complaints.print(f"[bold red]Error:[/] {escape(str(told))}", soft_wrap=True)
        sys.exit(told.exit_code)
    except Exception as error:
        _end_unexpectedly(error)


def _end_unexpectedly(error: Exception) -> NoReturn:
    """Keep the trace of an error that nobody foresaw, say where it is, and end."""
    trace = keep_trace(error, project_of(sys.argv[1:]))
    found = without_passwords(" ".join(f"{type(error).__name__}: {error}".split()))
    words = what_to_do(trace, "Finished work is kept. Run the same command again")
    complaints.print(
        f"[bold red]Unexpected error:[/] {escape(found)}. {escape(words)}", soft_wrap=True
    )
    sys.exit(EXIT_CODE)


def project_of(arguments: Sequence[str]) -> Path | None:
    """The folder of the project that a command names; None where there is no project."""
    given = os.environ.get("ALWORKBENCH_PROJECT", "")
    for at, argument in enumerate(arguments):
        if argument in ("--project", "-p") and at + 1 < len(arguments):
            given = arguments[at + 1]
        elif argument.startswith("--project="):
            given = argument.removeprefix("--project=")
    folder = Path(given)
    return folder if ProjectFolder(folder).holds_project else None


def print_version(wanted: bool) -> bool:
    """Print the version and end, before the command is read. Gives `wanted` back otherwise."""
    if wanted:
        console.print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=print_version,
            is_eager=True,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """Options of the command itself."""
