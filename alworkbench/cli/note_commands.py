"""Commands that write notes about images, put flags on them, and list both."""

from __future__ import annotations

import getpass
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
    print_lines,
    tell,
)
from alworkbench.project.find_image import find_image
from alworkbench.project.notes import NotedImage
from alworkbench.project.workbench import Workbench

ImagesArgument = Annotated[
    list[str], typer.Argument(metavar="IMAGES", help="Paths, ends of paths or content hashes.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who writes.", show_default="your name on this machine")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example: alworkbench note photo.jpg 'two birds' --project birds")(note)
    app.command(epilog="Example: alworkbench flag photo.jpg --reason blurred --project birds")(flag)
    app.command(epilog="Example: alworkbench notes --flagged --project birds")(notes)


def note(
    image: Annotated[str, typer.Argument(help="A path, the end of a path or a content hash.")],
    text: Annotated[str, typer.Argument(help="Up to 500 characters in one line.")],
    project: ProjectOption = HERE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a note about an image. Notes are for people: the model never reads them, and none is removed."""
    with opened(project) as workbench:
        (content,) = _contents(workbench, [image])
        workbench.notes.write([content], by or getpass.getuser(), text)
        found = workbench.notes.of(content)
    tell(as_json, found, f"The note is kept. The image has {counted(len(found.notes), 'note')}.")


def flag(
    images: ImagesArgument,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the flag.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the flag off.")] = False,
    project: ProjectOption = HERE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a flag on images, or take it off, so that people find them again. Every change is kept."""
    with opened(project) as workbench:
        contents = _contents(workbench, images)
        done = workbench.notes.flag(
            contents, by or getpass.getuser(), raised=not remove, reason=reason
        )
    became = "no longer flagged" if remove else "flagged"
    are = "is" if done == 1 else "are"
    tell(
        as_json,
        {"images": done, "flagged": not remove},
        f"{counted(done, 'image')} {are} {became}.",
    )


def notes(
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Only images that are flagged now.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the images that have a note or a flag, with all of their notes; with --json, also former flags."""
    with opened(project) as workbench:
        found = workbench.notes.listed(flagged=flagged)
    if as_json:
        print_json(found)
    elif not found:
        tell(False, found, "No image is flagged." if flagged else "No image has a note or a flag.")
    else:
        print_lines([("image", "flagged", "notes"), *(_line(each) for each in found)])


def _line(each: NotedImage) -> tuple[str, str, str]:
    change = each.flags[-1] if each.flagged else None
    flagged = ""
    if change is not None:
        flagged = change.person + (f": {change.reason}" if change.reason else "")
    return (
        "/".join(Path(each.image).parts[-2:]),
        flagged,
        "\n".join(f"{note.person}: {note.text}" for note in each.notes),
    )


def _contents(workbench: Workbench, names: list[str]) -> list[str]:
    """The content hashes of these images. Raises ImageNotFound."""
    with workbench.session.store.read() as reader:
        return [find_image(reader, name).hash for name in names]
