"""Commands that list, show and make labelled collections for simulations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from alworkbench.api import DEFAULT_CACHE
from alworkbench.cli.common import (
    JsonOption,
    console,
    escape,
    new_table,
    print_json,
    progress_bar,
    tell,
)
from alworkbench.core.words import percent

if TYPE_CHECKING:
    from alworkbench.datasets.cards import DatasetCard
    from alworkbench.datasets.labelled_images import Collection

CacheOption = Annotated[
    Path,
    typer.Option(
        envvar="ALWORKBENCH_CACHE",
        show_default=str(DEFAULT_CACHE),
        help="Folder that keeps encoded collections.",
    ),
]
NameArgument = Annotated[
    str, typer.Argument(help="Name of a collection in `alworkbench datasets`.")
]


class ListsByDefault(TyperGroup):
    """A group of commands that runs `list` if no subcommand is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments with `list` in front if no subcommand is named."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    datasets = typer.Typer(
        help="List, show and make labelled collections for simulations with the bundled model.",
        cls=ListsByDefault,
        epilog="Example: alworkbench datasets",
    )
    datasets.command("list", epilog="Example: alworkbench datasets list --json")(list_datasets)
    datasets.command("show", epilog="Example: alworkbench datasets show glyphs")(show)
    datasets.command(
        "make", epilog="Example: alworkbench datasets make glyphs --features glyphs.npz"
    )(make)
    app.add_typer(datasets, name="datasets")


def list_datasets(cache: CacheOption = DEFAULT_CACHE, as_json: JsonOption = False) -> None:
    """List the collections. `alworkbench datasets` does the same.

    Choose methods on collections of the role `dev`; use those of the role `report` only for final
    tables. The zero-shot accuracy is measured on the test part when a collection is made.
    """
    from alworkbench.datasets.collections import collections
    from alworkbench.simulation.load.collection import card

    found = [(one, card(one.name, cache.expanduser())) for one in collections()]
    if as_json:
        print_json([_row(*pair) for pair in found])
        return
    sizes = ("pool", "test", "classes", "imbalance", "zero-shot")
    table = new_table("name", "role", *sizes, "", right=sizes)
    for collection, known in found:
        row = _row(collection, known)
        why_not = row["not_on_this_machine"]
        table.add_row(
            row["name"],
            row["role"],
            f"{row['pool']:,}",
            f"{row['test']:,}",
            str(row["classes"]),
            f"{row['imbalance']:.3g}",
            "" if known.zero_shot_accuracy is None else percent(known.zero_shot_accuracy),
            escape(f"not on this machine: {why_not}" if why_not else collection.summary),
        )
    console.print(table)


def show(
    name: NameArgument, cache: CacheOption = DEFAULT_CACHE, as_json: JsonOption = False
) -> None:
    """Print the card of a collection: purpose, source, licence, sizes and classes."""
    from alworkbench.datasets.collections import find_collection
    from alworkbench.simulation.load.collection import card

    collection = find_collection(name)
    known = card(name, cache.expanduser())
    if as_json:
        print_json({**asdict(known), "not_on_this_machine": collection.available()})
        return
    _print_card(collection, known)


def make(
    name: NameArgument,
    features: Annotated[
        Path | None,
        typer.Option(
            help="Also write the features and labels to this file, for `simulate --features`."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Also write the images and a manifest into this new folder, for `import`."
        ),
    ] = None,
    cache: CacheOption = DEFAULT_CACHE,
    as_json: JsonOption = False,
) -> None:
    """Make a collection and encode it with the bundled model. It takes at most about a minute.

    A features file has no posterior: a simulation fits one from the pool. In a manifest, images
    without a class have no label.
    """
    from alworkbench.datasets.collections import find_collection
    from alworkbench.datasets.image_folders import write_images
    from alworkbench.features.feature_file_io import write_feature_file
    from alworkbench.simulation.load.collection import as_feature_file, encoded

    collection = find_collection(name)
    place = cache.expanduser()
    written: dict[str, str] = {}
    with progress_bar(as_json) as progress:
        # Images first: an existing folder is reported before a minute of encoding.
        if images is not None:
            write_images(collection, collection.make(progress=progress), images, progress)
            written["images"] = str(images)
        known = encoded(name, place, progress).card
        if features is not None:
            write_feature_file(features, as_feature_file(name, place, progress))
            written["features"] = str(features)
    lines = [
        f"{name} has {known.images('pool') + known.outside:,} images in the pool and "
        f"{known.images('test'):,} in the test part. Its features are in {place}.",
        f"Zero-shot accuracy is {known.zero_shot_accuracy:.3f}, "
        f"balanced accuracy {known.zero_shot_balanced:.3f}.",
        *(f"Wrote the {what}: {where}" for what, where in written.items()),
    ]
    tell(as_json, {**_row(collection, known), "cache": str(place), **written}, "\n".join(lines))


def _row(collection: Collection, known: DatasetCard) -> dict[str, Any]:
    return {
        "name": known.name,
        "role": known.role,
        "summary": collection.summary,
        "pool": known.images("pool") + known.outside,
        "test": known.images("test"),
        "classes": len(known.classes),
        "imbalance": known.imbalance,
        "near_duplicates": known.near_duplicates,
        "outside": known.outside,
        "zero_shot_accuracy": known.zero_shot_accuracy,
        "zero_shot_balanced": known.zero_shot_balanced,
        "not_on_this_machine": collection.available(),
    }


def _print_card(collection: Collection, known: DatasetCard) -> None:
    role = "for choosing methods" if known.role == "dev" else "for final tables only"
    pool, test = known.sizes["pool"], known.sizes["test"]
    facts = {
        "role": f"{known.role}: {role}",
        "purpose": known.purpose,
        "source": known.source,
        "licence": known.licence,
        "pool": f"{known.images('pool') + known.outside:,} images",
        "test part": f"{known.images('test'):,} images",
        "imbalance": f"{known.imbalance:.3g} (largest class divided by smallest class, in the pool)",
        "near-duplicates": f"{known.near_duplicates:,} images of the pool",
        "without a class": f"{known.outside:,} images of the pool",
        "zero-shot": f"not measured yet; run `alworkbench datasets make {known.name}`"
        if known.zero_shot_accuracy is None
        else f"accuracy {known.zero_shot_accuracy:.3f}, balanced accuracy {known.zero_shot_balanced:.3f}",
        "prompts": ", ".join(known.classes[0].templates),
    }
    if (why_not := collection.available()) is not None:
        facts["not on this machine"] = why_not
    console.print(f"[bold]{known.name}[/]: {escape(collection.summary)}", soft_wrap=True)
    for what, value in facts.items():
        console.print(f"  {what}: {escape(value)}", soft_wrap=True)
    table = new_table("class", "pool", "test", right=("pool", "test"))
    for label in known.classes:
        table.add_row(escape(label.name), f"{pool[label.name]:,}", f"{test[label.name]:,}")
    console.print(table)
