"""The command that chooses what calibrates a project's probabilities while no audit set does."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    opened,
    tell,
)


def use(
    choice: Annotated[
        Literal["none", "zero-shot-confidence", "zero-shot-range"],
        typer.Argument(
            help="none: left-out labels, as at the start. zero-shot-confidence: one temperature, at which "
            "the model is as confident on the pool as before labels. zero-shot-range: the logits of each "
            "image have the range of its zero-shot logits."
        ),
    ],
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Choose what scales the probabilities of a project while no audit set calibrates them.

    Neither of the zero-shot choices compares anything with labels: they trust the confidence of the model
    before labels. Where labels taught much, that is far too low for the learner, and left-out labels are
    better. At least 30 labels of an audit set replace them. No predicted class changes.
    """
    from alworkbench.core.domain import CalibrationSource, LabelFreeCalibration

    with opened(project, device) as workbench:
        before = workbench.predictions.newest().calibration
        workbench.predictions.choose_calibration(LabelFreeCalibration(choice))
        found = workbench.predictions.newest().calibration
    if before.source is CalibrationSource.LEFT_OUT and found != before:
        complaints.print(
            f"Note: the probabilities were {before.words}, which was better in most of our measurements "
            f"(P11 in docs/experiments/posterior.md). "
            f"`alworkbench calibrate use none` goes back.",
            soft_wrap=True,
        )
    tell(
        as_json,
        {"choice": choice, "calibration": found},
        f"Recorded. Probabilities of the present model: {found.words}. The suggestions of an open round stay "
        f"as they are.",
    )
