"""The command that lists the formats of labels, and the option that names one."""

from __future__ import annotations

from typing import Annotated

import typer

from alworkbench.cli.common import JsonOption, print_json, print_lines
from alworkbench.inputs.label_formats.registry import FORMATS, NAMES


def _completed(beginning: str) -> list[str]:
    return [name for name in NAMES if name.startswith(beginning)]


FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"One of {', '.join(NAMES)}. Default: by the name of the file, or by a look at the folder.",
        autocompletion=_completed,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench formats --json")(formats)


def formats(as_json: JsonOption = False) -> None:
    """List the formats in which labels are written and read."""
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "title": each.title,
                    "suffixes": each.suffixes,
                    "holds_images": each.holds_images,
                }
                for each in FORMATS
            ]
        )
        return
    lines = [
        (
            each.name,
            ", ".join(each.suffixes) or "folder",
            "pictures and labels" if each.holds_images else "labels",
            each.title,
        )
        for each in FORMATS
    ]
    print_lines([("format", "file", "holds", ""), *lines])
