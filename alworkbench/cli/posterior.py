"""Commands that fit the posterior of the encoder, show it, and exchange it as a factor folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    EngineOption,
    JsonOption,
    ProjectOption,
    console,
    escape,
    new_table,
    opened,
    opened_engine,
    print_json,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench fit --pairs captions.csv --project birds")(fit)
    posteriors = typer.Typer(
        help="Show the posterior of the project's encoder, or exchange it as a factor folder.",
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
            help="CSV or Parquet file with the columns image and caption, or webdataset tar files: one "
            "file, a folder, or a pattern such as 'shards/*.tar'."
        ),
    ] = None,
    from_pool: Annotated[
        bool,
        typer.Option(
            "--from-pool",
            help="Approximate the posterior without captions, from images of the pool and from prompts "
            "of the classes and of a general vocabulary.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="With --from-pool: take the place of a posterior that was fitted from captions.",
        ),
    ] = False,
    project: ProjectOption = HERE,
    batch: Annotated[
        int, typer.Option(min=2, help="Pairs in a batch of the contrastive loss.")
    ] = 1024,
    device: DeviceOption = "auto",
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the posterior of the project's encoder, from image-caption pairs or from the pool.

    Set `--batch` near the batch size of the encoder's training. The project's seed shuffles the
    pairs. After an interruption, the fit resumes.

    `--from-pool` gives nearly the same ranking of images as pairs do, but it cannot tell which class
    names the encoder knows. If you have pairs similar to those of the encoder's training, use them. It
    takes the place of a posterior from captions only with `--replace`.
    """
    if (pairs is None) != from_pool:
        raise typer.BadParameter("Give either --pairs FILE or --from-pool, and not both.")
    if replace and not from_pool:
        raise typer.BadParameter("--replace belongs to --from-pool.")
    with (
        opened(project, device) as workbench,
        opened_engine(engine) as found_engine,
        progress_bar(as_json) as progress,
    ):
        if pairs is None:
            record = workbench.posteriors.fit_from_pool(
                batch=batch, replace_captions=replace, engine=found_engine, progress=progress
            )
        else:
            record = workbench.posteriors.fit(
                pairs, batch=batch, engine=found_engine, progress=progress
            )
    found = record.provenance
    counted = (
        f"an approximate posterior from {found['images']} images of the pool and "
        f"{found['prompts']} prompts"
        if pairs is None
        else f"a posterior from {found['pairs']} pairs ({found['unreadable']} pairs with an unreadable "
        f"image and {found['ignored']} incomplete entries were left out)"
    )
    tell(
        as_json,
        record,
        f"Fitted {counted}. The prior precision is {found['prior_precision_image']:.4g} for images and "
        f"{found['prior_precision_text']:.4g} for text.",
    )


class PriorChoice(StrEnum):
    """Source of the prior precisions of an imported posterior."""

    STORED = "stored"
    EVIDENCE = "evidence"


def posterior_show(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show the newest posterior: its sizes, prior precisions, evidence and origin."""
    with opened(project) as workbench:
        summary = workbench.posteriors.describe()
    if as_json:
        print_json(summary)
    else:
        print_posterior(summary)


def posterior_import(
    folder: Annotated[
        Path, typer.Argument(help="Folder with A_img_analytic.pt and the other files of BayesVLM.")
    ],
    project: ProjectOption = HERE,
    prior: Annotated[
        PriorChoice,
        typer.Option(
            help="stored: those of the folder; evidence: those with the highest evidence."
        ),
    ] = PriorChoice.EVIDENCE,
    weight: Annotated[
        float, typer.Option(min=1e-6, max=1e9, help="Pseudo-data weight; 10 in the BayesVLM paper.")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Use published factors as the posterior.

    The factors must belong to the same model. The command can only check their sizes.
    """
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
                f"{name}: {rounding.clipped} negative eigenvalues were set to zero. The most negative is "
                f"{rounding.worst:.1e} times the largest eigenvalue."
            )
    for side, stored in found.stored.items():
        if prior is PriorChoice.STORED and stored.pseudo_data_weight != weight:
            console.print(
                f"The stored prior precision of the {side} side belongs to a pseudo-data weight of "
                f"{stored.pseudo_data_weight:g}, but --weight is {weight:g}."
            )


def posterior_export(
    folder: Annotated[Path, typer.Argument(help="New folder for the five files.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the newest posterior as a factor folder that the code of BayesVLM can read."""
    with opened(project) as workbench:
        summary = workbench.posteriors.export(folder)
    tell(
        as_json,
        {"folder": str(folder), "posterior": summary},
        f"Wrote the posterior of {summary.encoder_id} to {folder}. To read it again, run "
        f"`alworkbench posterior import {folder} --prior stored "
        f"--weight {summary.image.pseudo_data_weight:g}`.",
    )


def print_posterior(summary: Any) -> None:
    """Print a posterior, the image side beside the text side."""
    console.print(
        f"{escape(summary.file)}: posterior of {escape(summary.encoder_id)}, "
        f"fitted {summary.created_at:%Y-%m-%d %H:%M}, format {summary.format}",
        soft_wrap=True,
    )
    table = new_table("", "image", "text", right=("image", "text"))
    rows = (
        ("activation size", "activation_size"),
        ("embedding size", "embedding_size"),
        ("pairs", "pairs"),
        ("pseudo-data weight", "pseudo_data_weight"),
        ("prior precision", "prior_precision"),
        ("highest-evidence prior", "prior_of_most_evidence"),
        ("squared norm of W", "square"),
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
