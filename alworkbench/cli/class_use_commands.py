"""Commands that retire, merge and restore classes, and change their prompts and example images."""

from __future__ import annotations

from typing import Annotated

import typer

from alworkbench.cli.class_telling import (
    DryRunOption,
    change_classes,
    tell_change,
    tell_effect,
)
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    opened,
)
from alworkbench.core.domain.class_changes import prompted, with_examples
from alworkbench.core.domain.classes_in_use import merged, restored, retired

NameArgument = Annotated[str, typer.Argument(help="Name of the class.")]


def register(group: typer.Typer) -> None:
    """Add these commands to the group `classes`."""
    group.command(epilog="Example: alworkbench classes retire owl --dry-run --project birds")(
        retire
    )
    group.command(
        epilog="Example: alworkbench classes merge 'barn owl' 'snowy owl' --into owl --project birds"
    )(merge)
    group.command(epilog="Example: alworkbench classes restore 'barn owl' --project birds")(restore)
    group.command(
        epilog="Example: alworkbench classes templates 'a sketch of a {}.' --class owl --project birds"
    )(templates)
    group.command(
        epilog="Example: alworkbench classes examples owl --add photos/12.jpg --project birds"
    )(examples)


def retire(
    name: NameArgument,
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Take a class out of use between two rounds, and learn again from the labels of the others.

    Nobody is offered the class and the model does not predict it. Its labels stay and teach nothing until
    the class is restored or merged into another.
    """
    change_classes(
        project, device, as_json, dry_run,
        lambda present: retired(present, name),
        lambda bench, progress: bench.classes.retire(name, progress=progress),
    )  # fmt: skip


def merge(
    names: Annotated[
        list[str], typer.Argument(help="Classes that are no longer used.", metavar="NAME...")
    ],
    into: Annotated[str, typer.Option("--into", help="Class for which their labels count.")],
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Count the labels of some classes for another class from now on, and learn again.

    The labels stay what they were: `classes restore NAME` undoes the merge of a class.
    """
    change_classes(
        project, device, as_json, dry_run,
        lambda present: merged(present, names, into),
        lambda bench, progress: bench.classes.merge(names, into, progress=progress),
    )  # fmt: skip


def restore(
    name: NameArgument,
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Use a retired or merged class again between two rounds, and learn again from all labels."""
    change_classes(
        project, device, as_json, dry_run,
        lambda present: restored(present, name),
        lambda bench, progress: bench.classes.restore(name, progress=progress),
    )  # fmt: skip


def templates(
    prompts: Annotated[
        list[str],
        typer.Argument(
            help="Prompts in which {} stands for the class name.", metavar="TEMPLATE..."
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--class", help="Only this class. Default: all classes.")
    ] = None,
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Give one class or all classes other prompts between two rounds, and learn again.

    To compare published sets of prompts first, see `alworkbench prompts`.
    """
    change_classes(
        project, device, as_json, dry_run,
        lambda present: prompted(present, name, prompts),
        lambda bench, progress: bench.classes.use_templates(prompts, None, progress, name),
    )  # fmt: skip


def examples(
    name: NameArgument,
    project: ProjectOption = HERE,
    add: Annotated[
        list[str] | None,
        typer.Option(help="Image of the project: path, end of a path or hash; repeatable."),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="Example that is shown no longer; repeatable.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show images as examples of a class on the labelling screen.

    The model does not read them. Nothing is learned, and a round may be open.
    """
    added, removed = add or [], remove or []
    if not added and not removed:
        raise typer.BadParameter("Nothing to change. Give --add or --remove.")
    with opened(project) as workbench:
        before = workbench.classes.current()
        found = workbench.classes.find_images(added), workbench.classes.find_images(removed)
        effect = workbench.classes.effect(with_examples(before, name, *found))
        if dry_run:
            return tell_effect(effect, as_json)
        classes = workbench.classes.change_examples(name, added, removed)
    tell_change(before, classes, effect, as_json)
