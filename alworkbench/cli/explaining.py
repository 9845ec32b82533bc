"""The command that explains why the model is uncertain about an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    console,
    escape,
    new_table,
    opened,
    print_json,
    progress_bar,
)
from alworkbench.core.words import percent

if TYPE_CHECKING:
    from alworkbench.project.explain import Explanation
    from alworkbench.project.rank_in_pool import Standing

MOST_CLASSES = 10
"""Classes that are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench explain photos/0042.png --project birds")(explain)


def explain(
    image: Annotated[
        str, typer.Argument(help="Path of the image, the end of its path, or its content hash.")
    ],
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Explain why the model is uncertain about an image, and rank the image in the pool."""
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        found = workbench.explanations.of(image, progress)
    if as_json:
        print_json(found)
    else:
        print_explanation(found)


def rank_words(rank: Standing) -> str:
    """A rank in words; of an estimated rank also its interval and the number of images behind it."""
    if rank.exact:
        return f"rank {rank.rank:,} of {rank.of:,}, percentile {rank.percentile:.1f}"
    return (
        f"rank about {rank.rank:,} of {rank.of:,} (95 % interval {rank.low:,} to {rank.high:,}), percentile "
        f"about {rank.percentile:.1f}; compared with {rank.compared:,} random images of the pool"
    )


def accuracy_words(found: Explanation) -> str:
    """Which figures are exact and which are estimates, with the error of these."""
    exact, drawn = (
        ("mean and s.d. of the logits are", "") if found.closed_form else ("mean is", "s.d., ")
    )
    return (
        f"Of the posterior, {exact} exact. Estimates from {found.draws:,} draws: {drawn}draws won, and the "
        f"entropies, with a standard error of at most {found.error:.1g} nats. Ranks compare images under the "
        f"draws of the strategies."
    )


def print_explanation(found: Explanation) -> None:
    """Print uncertainty, ranks and classes of an image; classes in conflict come first."""
    image, parts = found.image, found.uncertainty
    role = "in the pool" if found.in_pool else "in the audit set, ranked as if it were in the pool"
    label = f"labelled {found.label!r}" if found.label else "without a label"
    place = "/".join(Path(image.paths[0]).parts[-2:])
    console.print(f"[bold]{escape(place)}[/]: {role}, {escape(label)}", soft_wrap=True)
    console.print(
        f"predictive entropy: {parts.total:.4f} nats, of which a label would remove "
        f"{parts.epistemic:.4f} (epistemic) and would not remove {parts.aleatoric:.4f} (aleatoric)",
        soft_wrap=True,
    )
    ranks = (
        ("predictive entropy", found.by_entropy),
        ("information in the label (BALD)", found.by_bald),
    )
    for name, rank in ranks:
        console.print(f"by {name}: {rank_words(rank)}", soft_wrap=True)
    if len(found.conflict) > 1:
        more = " ..." if len(found.conflict) > MOST_CLASSES else ""
        names = ", ".join(found.conflict[:MOST_CLASSES]) + more
        console.print(f"classes in conflict: {escape(names)}", soft_wrap=True)
    figures = ("probability", "moderated", "logit mean", "logit s.d.", "draws won")
    table = new_table("class", *figures, right=figures)
    for belief in sorted(found.classes, key=lambda each: each.name not in found.conflict)[
        :MOST_CLASSES
    ]:
        table.add_row(
            escape(belief.name),
            percent(belief.probability),
            percent(belief.moderated),
            f"{belief.mean:.2f}",
            f"{belief.deviation:.2f}",
            percent(belief.wins, 0),
        )
    console.print(table)
    console.print(
        f"Probability: {found.calibration.words}. The other columns and the entropies are the model's own, "
        f"not calibrated.",
        soft_wrap=True,
    )
    console.print(accuracy_words(found), soft_wrap=True)
    if len(found.classes) > MOST_CLASSES:
        console.print(f"and {len(found.classes) - MOST_CLASSES} more classes (--json prints all)")
