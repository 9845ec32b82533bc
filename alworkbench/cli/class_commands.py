"""Commands that list the classes of a project and change the list in the middle of a campaign."""

from __future__ import annotations

from typing import Annotated

import typer

from alworkbench.cli import class_use_commands, class_version_commands
from alworkbench.cli.class_telling import DryRunOption, tell_change, tell_effect
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
from alworkbench.core.domain.class_changes import added, renamed, reordered, shown_as


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    group = typer.Typer(
        help="List the classes of a project, or change the list.", no_args_is_help=True
    )
    group.command("list", epilog="Example: alworkbench classes list --project birds")(list_)
    group.command(epilog="Example: alworkbench classes add 'snowy owl' --project birds")(add)
    group.command(
        epilog="Example: alworkbench classes rename owl 'barn owl' --dry-run --project birds"
    )(rename)
    group.command(epilog="Example: alworkbench classes reorder heron coot --project birds")(reorder)
    group.command(
        "set",
        epilog="Example: alworkbench classes set heron --key h --colour '#3060c0' --project birds",
    )(set_)
    class_use_commands.register(group)
    class_version_commands.register(group)
    app.add_typer(group, name="classes")


def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the classes in the order of the labelling screen, each with its key and its prompts."""
    with opened(project) as workbench:
        classes = workbench.session.classes()
    keys, lines = classes.keys, []
    for position in classes.shown_order:
        each = classes.classes[position]
        more = [text for text in (each.colour, each.description) if text]
        line = f"{keys[position] or '-'}  {each.name}  ({', '.join(each.templates)})"
        if each.examples:
            more.append(f"{len(each.examples)} example images")
        lines.append("  ".join([line, *more]))
    for each in classes.former:
        into = classes.given_names.get(each.into) if each.into else None
        lines.append(f"   {each.name}  " + (f"merged into {into}" if into else "retired"))
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
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Add a class between two rounds, and learn again from all labels.

    Existing labels do not change. If earlier images belong to the new class, correct their labels.
    """
    fresh = LabelClass(name, tuple(templates or DEFAULT_TEMPLATES))
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if dry_run:
            present = workbench.classes.current()
            return tell_effect(workbench.classes.effect(added(present, fresh)), as_json)
        classes = workbench.classes.add(fresh, progress=progress)
        cut, same = workbench.classes.cut_names(), workbench.classes.same_names()
    warn_of_cut_names([each for each in cut if each == classes.names[-1]])
    warn_of_same_names([group for group in same if classes.names[-1] in group])
    tell(
        as_json,
        classes,
        f"Added {classes.names[-1]!r}. Version {classes.id} of the class list has {len(classes)} classes. "
        f"The model learned again from all labels.",
    )


def rename(
    old: Annotated[str, typer.Argument(help="Present name of the class.")],
    new: Annotated[str, typer.Argument(help="New name of the class.")],
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Rename a class between two rounds, and learn again from all labels.

    Its labels stay and count for the new name. The model reads the new name, so its prompts are encoded.
    """
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        before = workbench.classes.current()
        effect = workbench.classes.effect(renamed(before, old, new))
        if dry_run:
            return tell_effect(effect, as_json)
        classes = workbench.classes.rename(old, new, progress=progress)
        cut, same = workbench.classes.cut_names(), workbench.classes.same_names()
    fresh = set(classes.names) - set(before.names)
    warn_of_cut_names([each for each in cut if each in fresh])
    warn_of_same_names([group for group in same if fresh & set(group)])
    tell_change(before, classes, effect, as_json)


def reorder(
    first: Annotated[
        list[str], typer.Argument(help="Classes that come first, in this order.", metavar="NAME...")
    ],
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show classes in another order on the labelling screen. Keys follow the order.

    The other classes follow as before. Nothing is learned, and a round may be open.
    """
    with opened(project) as workbench:
        before = workbench.classes.current()
        effect = workbench.classes.effect(reordered(before, first))
        if dry_run:
            return tell_effect(effect, as_json)
        classes = workbench.classes.reorder(first)
    tell_change(before, classes, effect, as_json)


def set_(
    name: Annotated[str, typer.Argument(help="Name of the class.")],
    project: ProjectOption = HERE,
    key: Annotated[
        str | None, typer.Option(help="Key that answers with the class. '' gives it up.")
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option("--colour", "--color", help="Such as '#c03020'. '' removes it."),
    ] = None,
    description: Annotated[
        str | None,
        typer.Option(help="What belongs to the class, for people who label. '' removes it."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set the key, the colour or the description of a class on the labelling screen.

    The model does not read them. Nothing is learned, and a round may be open.
    """
    if key is None and colour is None and description is None:
        raise typer.BadParameter("Nothing to set. Give --key, --colour or --description.")
    with opened(project) as workbench:
        before = workbench.classes.current()
        changed = shown_as(before, name, key=key, colour=colour, description=description)
        effect = workbench.classes.effect(changed)
        if dry_run:
            return tell_effect(effect, as_json)
        classes = workbench.classes.show_as(name, key=key, colour=colour, description=description)
    tell_change(before, classes, effect, as_json)
