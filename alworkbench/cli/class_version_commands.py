"""Commands for versions of the class list: many changes at once, the history, and the way back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alworkbench.cli.class_telling import DryRunOption, change_classes
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    opened,
    print_json,
    print_lines,
    tell,
)
from alworkbench.core.domain import Role
from alworkbench.core.domain.class_draft import drafted, read_draft
from alworkbench.core.domain.class_words import returned
from alworkbench.core.errors import InvalidClassList
from alworkbench.core.words import percent

if TYPE_CHECKING:
    from alworkbench.project.class_preview import AccuracyChange


def register(group: typer.Typer) -> None:
    """Add these commands to the group `classes`."""
    group.command(epilog="Example: alworkbench classes apply classes.json --dry-run -p birds")(
        apply
    )
    group.command(epilog="Example: alworkbench classes preview classes.json --project birds")(
        preview
    )
    group.command(epilog="Example: alworkbench classes history --project birds")(history)
    group.command(epilog="Example: alworkbench classes back 3 --dry-run --project birds")(back)


def apply(
    file: Annotated[
        Path, typer.Argument(help="JSON as `classes list --json` prints it; `-` is standard input.")
    ],
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Store all changes of an edited class list as one version; the model learns once.

    Print the list with `classes list --json`, edit it, and give it here. A class without an id is new. Move
    a class from `classes` to `former` to retire it; write the id of another class to its `into` to merge it.
    """
    draft = read_draft(_read(file))
    change_classes(
        project, device, as_json, dry_run,
        lambda present: drafted(present, draft),
        lambda bench, progress: bench.classes.apply(draft, None, progress),
    )  # fmt: skip


def preview(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="JSON as for `classes apply`. Default: the present list.", show_default=False
        ),
    ] = None,
    turn: Annotated[int, typer.Option(min=0, help="Another number shows other images.")] = 0,
    project: ProjectOption = HERE,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Show what names and prompts alone say of 12 images, with a class list that is not stored.

    Also shows how their accuracy on labelled images would change, and names that the model does not know.
    The accuracy before any label that `status` shows may be another one: with the usual learning method, the
    model also uses how the images of the pool lie together. Changes nothing.
    """
    draft = None if file is None else read_draft(_read(file))
    with opened(project, device) as workbench:
        present = workbench.classes.current()
        classes = present if draft is None else drafted(present, draft)
        found = workbench.classes.previews.of(classes, turn)
    if as_json:
        print_json(found)
        return
    names = classes.names
    rows = [
        (each.hash[:12], *(f"{names[place]} {percent(p, 0)}" for place, p in each.top))
        for each in found.images
    ]
    width = max(len(row) for row in rows)
    headings = ("image", "most probable", "second", "third")[:width]
    print_lines([headings, *rows])
    for name in (each.name for each in found.known if each.unknown):
        tell(False, None, f"The model does not know the name {name!r}.")
    for change in found.accuracy:
        tell(False, None, _accuracy_words(change))


def _accuracy_words(change: AccuracyChange) -> str:
    where = "the audit set" if change.role is Role.AUDIT else "labelled images of the pool"
    now, then, moved = (
        f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        for value, low, high in (change.now, change.then, change.difference)
    )
    return (
        f"Accuracy by names and prompts alone, on {change.images:,} images of {where}: {now} % with the "
        f"present list, {then} % with this list, a change of {moved} points."
    )


def history(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the versions of the class list, and what changed in each."""
    with opened(project) as workbench:
        found = workbench.classes.history()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(each.number),
            f"{each.stored_at:%Y-%m-%d %H:%M}",
            "\n".join(each.changes) or f"{each.classes} classes",
        )
        for each in found
    ]
    print_lines([("version", "stored (UTC)", "what changed"), *rows])


def back(
    number: Annotated[int, typer.Argument(help="Version; `classes history` lists them.")],
    project: ProjectOption = HERE,
    dry_run: DryRunOption = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Use an earlier version of the class list again, as a new version.

    All labels stay. Classes that joined since are retired; `classes restore` brings each back.
    """
    with opened(project) as workbench:
        earlier = workbench.classes.version(number)
    change_classes(
        project, device, as_json, dry_run,
        lambda present: returned(present, earlier),
        lambda bench, progress: bench.classes.go_back(number, None, progress),
    )  # fmt: skip


def _read(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return json.loads(text)
    except (OSError, ValueError) as problem:
        raise InvalidClassList(
            f"The class list in {str(file)!r} cannot be read: {problem}. Give a JSON file as "
            f"`alworkbench classes list --json` prints it."
        ) from None
