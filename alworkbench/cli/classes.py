"""The class list of a project: what it is, and one more class in the middle of a campaign."""

from __future__ import annotations

from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    opened,
    progress_bar,
    tell,
)
from alworkbench.core.domain import DEFAULT_TEMPLATES, LabelClass


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    group = typer.Typer(help="List the classes, or add one.", no_args_is_help=True)
    group.command("list", epilog="Example: alworkbench classes list --project birds")(list_)
    group.command(epilog="Example: alworkbench classes add 'snowy owl' --project birds")(add)
    app.add_typer(group, name="classes")


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Say which classes there are, in order, with the key that answers with each."""
    with opened(project) as workbench:
        classes = workbench.classes.current()
    lines = (
        f"{classes.key_of(k) or '-'}  {each.name}  ({', '.join(each.templates)})"
        for k, each in enumerate(classes.classes)
    )
    tell(as_json, classes, f"Version {classes.id} of the class list\n" + "\n".join(lines))


def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    project: ProjectOption = HERE,
    templates: Annotated[
        list[str] | None,
        typer.Option("--template", help="Prompt with {} for the name. May be given again."),
    ] = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Add a class between two rounds: its name is encoded, and all answers so far teach again.

    Answers stay as they were given: where earlier images belong to the new class, correct them.
    """
    added = LabelClass(name, tuple(templates or DEFAULT_TEMPLATES))
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        classes = workbench.classes.add(added, progress=progress)
    tell(
        as_json,
        classes,
        f"Added {name!r}: version {classes.id} of the class list has {len(classes)} classes. What was "
        f"learned before was learned again with it.",
    )
