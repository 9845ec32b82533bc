"""Options that say how the columns of a table are named, for label files and manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.inputs.label_formats.mapping import ColumnMapping, read_split_map

PathColumnOption = Annotated[
    str | None,
    typer.Option(
        "--path-column",
        help="Column with the paths. Default: image in a label file, path in a manifest.",
    ),
]
LabelColumnOption = Annotated[
    str | None, typer.Option("--label-column", help="Column with the class names. Default: label.")
]
SplitMapOption = Annotated[
    str | None,
    typer.Option(
        "--split-map",
        help="What the values of the column split mean, such as train=pool,val=audit,test=audit.",
    ),
]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="Folder that the paths in the table are relative to.")
]


def read_mapping(
    path_column: str | None,
    label_column: str | None,
    split_map: str | None,
    root: Path | None,
    *,
    audit: bool = False,
) -> ColumnMapping:
    """The options as one value; `audit` says that --audit was given. Raises typer.BadParameter."""
    if audit and split_map:
        raise typer.BadParameter(
            "--audit puts all images into the audit set, so that --split-map has nothing to say. Give one "
            "of the two.",
            param_hint="--split-map",
        )
    if root is not None and not root.is_dir():
        raise typer.BadParameter(f"{root} is no folder.", param_hint="--root")
    try:
        splits = read_split_map(split_map or "")
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--split-map") from problem
    return ColumnMapping(path_column, label_column, splits, root)
