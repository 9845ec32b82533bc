"""Commands that list the classes of a project and add one between two rounds."""

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
    warn_of_cut_names,
    warn_of_same_names,
)
from alworkbench.core.domain import DEFAULT_TEMPLATES, LabelClass


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    group = typer.Typer(help="List the classes of a project, or add a class.", no_args_is_help=True)
    group.command("list", epilog="Example: alworkbench classes list --project birds")(list_)
    group.command(epilog="Example: alworkbench classes add 'snowy owl' --project birds")(add)
    app.add_typer(group, name="classes")


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the classes in order, each with its key on the labelling screen and its prompts."""
    with opened(project) as workbench:
        classes = workbench.session.classes()
    lines = (
        f"{classes.key_of(k) or '-'}  {each.name}  ({', '.join(each.templates)})"
        for k, each in enumerate(classes.classes)
    )
    tell(as_json, classes, f"Version {classes.id} of the class list:\n" + "\n".join(lines))


def add(
    name: Annotated[str, typer.Argument(help="Name of the class.")],
    project: ProjectOption = HERE,
    templates: Annotated[
        list[str] | None,
        typer.Option(
            "--template", help="Prompt in which {} stands for the class name; repeatable."
        ),
    ] = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Add a class between two rounds, and learn again from all labels.

    Existing labels do not change. If earlier images belong to the new class, correct their labels.
    """
    added = LabelClass(name, tuple(templates or DEFAULT_TEMPLATES))
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        classes = workbench.classes.add(added, progress=progress)
        cut, same = workbench.classes.cut_names(), workbench.classes.same_names()
    warn_of_cut_names([each for each in cut if each == classes.names[-1]])
    warn_of_same_names([group for group in same if classes.names[-1] in group])
    tell(
        as_json,
        classes,
        f"Added {classes.names[-1]!r}. Version {classes.id} of the class list has {len(classes)} classes. "
        f"The model learned again from all labels.",
    )
