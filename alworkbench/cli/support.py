"""The command that writes a support set: k labelled images per class and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    escape,
    opened,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        "support-set",
        epilog="Example: alworkbench support-set support.csv --per-class 5 --target sketches/",
    )(support_set)


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
    """Choose k labelled images of every class that represent a target, and write a list of them."""
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
