"""What is said before a round is opened: its cost, and the batch of a preview with its near-copies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.cli.common import console, counted, escape, new_table, print_facts, print_json

if TYPE_CHECKING:
    from alworkbench.acquisition.cost import Estimate
    from alworkbench.project.previews import Preview
    from alworkbench.project.workbench import Workbench

MOST_IMAGES = 10
"""Images of a batch that are printed."""


def print_preview(workbench: Workbench, found: Preview, as_json: bool) -> None:
    """Print the images of a preview in the order of the ranking."""
    batch = found.batch
    if as_json:
        print_json(
            {
                "key": found.key,
                "batch": asdict(batch),
                "near": [asdict(each) for each in found.near],
            }
        )
        return
    ids = {item.image_id for item in batch.items} | {each.of for each in found.near}
    images = workbench.images.some(sorted(ids))
    places = {each.id: escape("/".join(Path(each.paths[0]).parts[-2:])) for each in images}
    like = {each.image_id: each for each in found.near}
    table = new_table(
        "",
        "image",
        "score",
        "near-copy of",
        right=("", "score"),
        title=f"Preview: {counted(len(batch.items), 'image')}, strategy {batch.strategy}",
    )
    for position, item in enumerate(batch.items[:MOST_IMAGES]):
        near = like.get(item.image_id)
        labelled = " (labelled)" if near and near.labelled else ""
        table.add_row(
            str(position + 1),
            places[item.image_id],
            "" if item.score is None else f"{item.score:.4f}",
            f"{places.get(near.of, '?')}{labelled}, cosine {near.cosine:.2f}" if near else "",
        )
    console.print(table)
    if len(batch.items) > MOST_IMAGES:
        console.print(f"and {len(batch.items) - MOST_IMAGES} more images (--json prints all)")
    console.print(
        "No round was opened. `alworkbench propose --open-preview` opens exactly this one."
    )


def print_estimate(found: Estimate, as_json: bool) -> None:
    """Print the estimated cost of a batch."""
    size = found.size
    if as_json:
        print_json({**asdict(found), "fits": found.fits})
        return
    targets = f"{size.targets:,} images"
    print_facts(
        (
            ("strategy", found.strategy),
            ("batch", f"{size.batch:,} of {size.candidates:,} unlabelled images"),
            ("targets", f"the pool, or {targets} of it" if size.pool_is_target else targets),
            ("classes", f"{size.classes:,}"),
            ("posterior draws", f"{size.draws:,}"),
            ("labels so far", f"{size.labelled:,}"),
            ("operations", f"{found.operations:.2e} multiply-adds"),
            ("seconds", f"about {found.seconds:,.1f} on one processor core"),
            ("memory", f"{_mebibytes(found.memory)} without the features"),
            (
                "memory limit",
                f"{_mebibytes(found.allowed)}, which is {'enough' if found.fits else 'not enough'}",
            ),
        )
    )
    console.print("This was a dry run: no round was opened.")


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
