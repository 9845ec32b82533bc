"""Commands of support sets: k labelled images per class are written with a manifest, and checked later."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    escape,
    opened,
    print_json,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        "support-set",
        epilog="Example: alworkbench support-set support.csv --per-class 5 --target sketches/",
    )(support_set)
    app.command(
        "verify-support", epilog="Example: alworkbench verify-support support.json --project birds"
    )(verify_support)


def support_set(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="A .csv or .json file to write, or a new folder for images and both files."
        ),
    ],
    per_class: Annotated[
        int, typer.Option("--per-class", "-k", min=1, help="Images per class.")
    ] = 5,
    order: Annotated[
        Literal["nearest", "asked"],
        typer.Option(
            help="nearest: images that represent the target best; asked: the first labels."
        ),
    ] = "nearest",
    target: Annotated[
        str | None,
        typer.Option(help="Folder of images, or name of a stored target set. Default: the pool."),
    ] = None,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Choose k labelled images of every class that represent a target, and write a list of them.

    A .json manifest also says which project, class list, encoder, posterior, learner and calibration they
    were chosen with. `alworkbench verify-support` checks it later.
    """
    from alworkbench.project.support_sets import Order, write_support

    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        targets = None if target is None else workbench.targets.take(target, progress=progress)
        found = workbench.support_sets.choose(per_class, Order(order), targets)
        write_support(manifest, found)
    classes = len(found.classes)
    said = f" Probabilities: {found.calibration.words}." if found.calibration else ""
    tell(
        as_json,
        {
            "file": str(manifest),
            "images": len(found.images),
            "classes": classes,
            "per_class": per_class,
            "order": found.order,
            "targets": found.targets,
            "missing": found.missing,
            "calibration": found.calibration,
        },
        f"Wrote {len(found.images)} images of {classes} classes to {manifest}.{said}",
    )
    if found.missing and not as_json:
        short = ", ".join(f"{name} {count}" for name, count in found.missing.items())
        complaints.print(f"These classes need more labels: {escape(short)}.")


def verify_support(
    manifest: Annotated[
        Path,
        typer.Argument(help="The .json manifest of a support set, or the folder of one."),
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check that the pictures and labels of a support set are still what its manifest says.

    Names each picture that is missing or was changed, and each label that no longer counts in the project.
    The exit code is 0 if there is none and 1 if there are any. A newer learner or class list is told and
    does no harm.
    """
    from alworkbench.project.support_manifest import verify_manifest

    with opened(project) as workbench:
        found = verify_manifest(workbench.session, manifest)
    if as_json:
        print_json({**asdict(found), "holds": found.holds})
    else:
        for each in found.findings:
            console.print(escape(f"{each.drift}: {each.path}: {each.detail}"), soft_wrap=True)
        for note in found.notes:
            console.print(escape(f"note: {note}"), soft_wrap=True)
        advice = "Restore the files or labels, or choose a new set with `alworkbench support-set`."
        console.print(found.words if found.holds else f"{found.words} {advice}", soft_wrap=True)
    if not found.holds:
        raise typer.Exit(1)
