"""The posterior of the encoder: fitted here, shown, or exchanged as a factor folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    console,
    escape,
    opened,
    print_json,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench fit --pairs captions.csv --project birds")(fit)
    posteriors = typer.Typer(
        help="The posterior of the project's encoder: show it, or exchange it as a factor folder.",
        no_args_is_help=True,
    )
    posteriors.command("show", epilog="Example: alworkbench posterior show --project birds")(
        posterior_show
    )
    posteriors.command(
        "import", epilog="Example: alworkbench posterior import hessians/ --prior stored"
    )(posterior_import)
    posteriors.command("export", epilog="Example: alworkbench posterior export factors/")(
        posterior_export
    )
    app.add_typer(posteriors, name="posterior")


def fit(
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="A CSV or Parquet file with the columns image and caption, or webdataset tars: one, "
            "a folder of them, or a pattern such as 'shards/*.tar'."
        ),
    ] = None,
    from_pool: Annotated[
        bool,
        typer.Option(
            "--from-pool",
            help="Without captions: the pool's images against prompts of the classes and of a general "
            "vocabulary. An approximation.",
        ),
    ] = False,
    project: ProjectOption = HERE,
    batch: Annotated[
        int, typer.Option(min=2, help="Pairs that the contrastive loss compares at once.")
    ] = 1024,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Fit the posterior of the project's encoder, from image-caption pairs or from the pool.

    `--batch` is the denominator of the contrastive loss: of the order used to train the model. Pairs
    are shuffled by the project's seed; a fit that was interrupted goes on where it stopped.

    `--from-pool` ranks images much as a fit from pairs does, but says nothing on which class names
    the model knows. Take pairs of the kind that the model was trained on where you have some.
    """
    if (pairs is None) != from_pool:
        raise typer.BadParameter("Give either --pairs FILE or --from-pool.")
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if pairs is None:
            record = workbench.posteriors.fit_from_pool(batch=batch, progress=progress)
        else:
            record = workbench.posteriors.fit(pairs, batch=batch, progress=progress)
    found = record.provenance
    counted = (
        f"approximately, from {found['images']} images of the pool and {found['prompts']} prompts"
        if pairs is None
        else f"from {found['pairs']} pairs ({found['unreadable']} with an unreadable image, "
        f"{found['ignored']} entries that were no pair)"
    )
    tell(
        as_json,
        record,
        f"Fitted a posterior {counted}; prior precision {found['prior_precision_image']:.4g} (image), "
        f"{found['prior_precision_text']:.4g} (text).",
    )


class PriorChoice(StrEnum):
    """Where the prior precisions of an imported posterior come from."""

    STORED = "stored"
    EVIDENCE = "evidence"


def posterior_show(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show the newest posterior: where it came from, its sizes, its prior precisions."""
    with opened(project) as workbench:
        summary = workbench.posteriors.describe()
    if as_json:
        print_json(summary)
    else:
        print_posterior(summary)


def posterior_import(
    folder: Annotated[
        Path, typer.Argument(help="With A_img_analytic.pt and the rest of a BayesVLM folder.")
    ],
    project: ProjectOption = HERE,
    prior: Annotated[
        PriorChoice, typer.Option(help="The folder's prior precisions, or those of most evidence.")
    ] = PriorChoice.EVIDENCE,
    weight: Annotated[
        float, typer.Option(min=1e-6, max=1e9, help="Pseudo-data weight; the paper's is 10.")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Take published factors as the posterior. Only sizes can be checked: it must be the same model."""
    with opened(project) as workbench:
        found = workbench.posteriors.take(folder, prior=prior.value, weight=weight)
        summary = workbench.posteriors.describe()
    if as_json:
        print_json({"posterior": summary, "stored": found.stored, "rounding": found.rounding})
        return
    print_posterior(summary)
    for name, rounding in found.rounding.items():
        if rounding.clipped:
            console.print(
                f"{name}: {rounding.clipped} eigenvalues below zero were cut off, the worst "
                f"{rounding.worst:.1e} of the largest."
            )
    for side, stored in found.stored.items():
        if prior is PriorChoice.STORED and stored.pseudo_data_weight != weight:
            console.print(
                f"The {side} side's stored prior precision was found at a pseudo-data weight of "
                f"{stored.pseudo_data_weight:g}, not {weight:g}."
            )


def posterior_export(
    folder: Annotated[Path, typer.Argument(help="Where to write the five files.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the newest posterior as a factor folder that BayesVLM's own code reads."""
    with opened(project) as workbench:
        summary = workbench.posteriors.export(folder)
    tell(
        as_json,
        {"folder": str(folder), "posterior": summary},
        f"Wrote the posterior of {summary.encoder_id} to {folder}. Read it again with "
        f"`alworkbench posterior import {folder} --prior stored "
        f"--weight {summary.image.pseudo_data_weight:g}`.",
    )


def print_posterior(summary: Any) -> None:
    """A posterior, side by side."""
    console.print(
        f"{escape(summary.file)}: posterior of {escape(summary.encoder_id)}, "
        f"made {summary.created_at:%Y-%m-%d %H:%M}, format {summary.format}",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "image", "text"):
        justify: Any = "right" if heading else "left"
        table.add_column(heading, header_style="bold", justify=justify)
    rows = (
        ("activation size", "activation_size"),
        ("embedding size", "embedding_size"),
        ("pairs", "pairs"),
        ("pseudo-data weight", "pseudo_data_weight"),
        ("prior precision", "prior_precision"),
        ("that of most evidence", "prior_of_most_evidence"),
        ("|W|^2", "square"),
        ("log evidence (nats)", "log_evidence"),
    )
    for name, field in rows:
        values = (getattr(side, field) for side in (summary.image, summary.text))
        shown = (f"{v:,}" if isinstance(v, int) else f"{v:.6g}" for v in values)
        table.add_row(name, *shown)
    console.print(table)
    for key, value in summary.provenance.items():
        if not isinstance(value, dict):
            console.print(f"  {escape(str(key))}: {escape(str(value))}", soft_wrap=True)
