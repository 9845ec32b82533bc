"""The command that writes the classes and calibrated probabilities of all images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    EngineOption,
    JsonOption,
    ProjectOption,
    counted,
    opened,
    opened_engine,
    progress_bar,
    tell,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench predict predictions.csv --top 3 --project birds")(
        predict
    )


def predict(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file to write.")],
    of: Annotated[
        Literal["all", "pool", "audit"], typer.Option("--of", help="Which images are predicted.")
    ] = "all",
    top: Annotated[int, typer.Option(min=1, help="Likeliest classes of each image.")] = 1,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Also write the uncertainty in nats: in all, the part that labels can remove "
            "(epistemic) and the part that stays (aleatoric).",
        ),
    ] = False,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict all images with the newest learner, and write classes and probabilities to a file.

    Columns: path, hash, role, class, probability, further classes with --top, calibration (on what the
    probabilities are calibrated, in words) and learner (empty before the first label). With --uncertainty
    also uncertainty_nats = epistemic_nats + aleatoric_nats, as `alworkbench explain` shows them for one
    image. They are those of the model's own draws and not calibrated, and they take as long as several
    proposals.
    """
    from alworkbench.core.domain import Role
    from alworkbench.project.prediction_file import check_suffix, write_predictions
    from alworkbench.project.uncertainty_parts import DRAWS, NOT_CALIBRATED

    check_suffix(file)
    roles = tuple(Role) if of == "all" else (Role(of),)
    with (
        opened(project, device) as workbench,
        opened_engine(engine) as found_engine,
        progress_bar(as_json) as progress,
    ):
        run = workbench.predictions.of(
            roles, top, progress, uncertainty=uncertainty, engine=found_engine
        )
        write_predictions(file, run, top)
    said = f" {counted(run.without_features, 'image')} could not be read by the encoder and are left out."
    tell(
        as_json,
        {
            "file": file,
            "images": run.images,
            "without_features": run.without_features,
            "learner": run.learner_id,
            "labels": run.labels,
            "calibration": run.calibration,
            "uncertainty_draws": DRAWS if uncertainty else None,
        },
        f"Wrote the predictions of {counted(run.images, 'image')} to {file}, after "
        f"{counted(run.labels, 'label')}. Probabilities: {run.calibration.words}."
        f"{said if run.without_features else ''}{f' {NOT_CALIBRATED}' if uncertainty else ''}",
    )
