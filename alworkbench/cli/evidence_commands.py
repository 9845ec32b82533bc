"""Commands that show what a project's labelled images say of its model: its errors and its probabilities."""

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
    counted,
    escape,
    new_table,
    opened,
    print_json,
)
from alworkbench.core.words import percent
from alworkbench.project.image_query import EvidenceSet

if TYPE_CHECKING:
    from alworkbench.evaluation.confusions import Confusions
    from alworkbench.project.calibration_evidence import CalibrationEvidence

WORDS = {
    EvidenceSet.AUDIT: "audit set",
    EvidenceSet.LEFT_OUT: "labels left out (they do not measure the pool)",
}
SHOWN = 20
OfOption = Annotated[
    EvidenceSet,
    typer.Option(
        "--of",
        help="audit: the audit set. left-out: labels of the pool, each predicted without it.",
    ),
]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench errors --of audit --project birds")(errors)
    app.command(epilog="Example: alworkbench reliability --project birds")(reliability)


def errors(
    of: OfOption = EvidenceSet.AUDIT,
    csv: CsvOption = None,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show which classes the model takes for which, and the accuracy of each class with its interval.

    `alworkbench gallery --evidence audit --class A --predicted B` lists the images of one kind of error.
    """
    with opened(project, device) as workbench:
        found = workbench.audit.evidence.confusions(of)
    if csv is not None and found is not None:
        from alworkbench.core.atomic_files import write_atomically
        from alworkbench.report.confusion_chart import class_table

        write_atomically(csv, class_table(found).csv())
    if as_json:
        print_json(None if found is None else plain_confusions(found, of))
    elif found is None:
        console.print(nothing_words(of), soft_wrap=True)
    else:
        _print_errors(found, of)


def plain_confusions(found: Confusions, of: EvidenceSet) -> dict[str, object]:
    """The errors as JSON values."""
    low, high = found.interval
    return {
        "of": of.value,
        "images": found.images,
        "right": found.right,
        "accuracy": found.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "classes": [
            {
                "name": each.name, "images": each.images, "right": each.right,
                "accuracy": each.accuracy, "low": each.low, "high": each.high,
                "predicted": each.predicted, "precision": each.precision,
            }
            for each in found.by_class()
        ],
        "confusions": found.pairs(),
    }  # fmt: skip


def nothing_words(of: EvidenceSet) -> str:
    """Why there is no evidence, and what to do."""
    if of is EvidenceSet.AUDIT:
        return "The audit set has no labelled image. Draw one: `alworkbench audit`."
    return "There are no labels that can be left out. Label some images and close the round."


def _print_errors(found: Confusions, of: EvidenceSet) -> None:
    low, high = found.interval
    console.print(
        f"{WORDS[of]}: {found.right:,} of {counted(found.images, 'image')} right, accuracy "
        f"{found.accuracy:.3f} ({low:.3f} to {high:.3f})"
    )
    table = new_table("label", "predicted", "images", "of", right=("images", "of"))
    for pair in found.pairs()[:SHOWN]:
        table.add_row(
            escape(pair.label), escape(pair.predicted), f"{pair.images:,}", f"{pair.of:,}"
        )
    console.print(table)
    numbers = ("images", "right", "accuracy", "95 %", "predicted")
    table = new_table("class", *numbers, right=numbers)
    for each in sorted(found.by_class(), key=lambda c: (c.accuracy is None, c.accuracy)):
        table.add_row(
            escape(each.name),
            f"{each.images:,}",
            f"{each.right:,}",
            "" if each.accuracy is None else f"{each.accuracy:.3f}",
            "" if each.low is None else f"{each.low:.3f} to {each.high:.3f}",
            f"{each.predicted:,}",
        )
    console.print(table)


def reliability(
    of: OfOption = EvidenceSet.AUDIT,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show whether the probabilities hold: figures before and after the temperature, bins, classes, sets."""
    with opened(project, device) as workbench:
        found = workbench.audit.evidence.calibration(of)
    if as_json:
        print_json(found)
    elif found is None:
        console.print(nothing_words(of), soft_wrap=True)
    else:
        _print_reliability(found)


def _print_reliability(found: CalibrationEvidence) -> None:
    console.print(f"Probabilities on all screens: {found.in_use.words}.")
    if found.fit is not None:
        fit = found.fit
        console.print(f"Temperature {fit.temperature:.2f} ({fit.low:.2f} to {fit.high:.2f}).")
    console.print(f"{WORDS[found.source]}: {counted(found.images, 'image')}.")
    if found.needed:
        console.print(f"{counted(found.needed, 'more labelled image')} needed for figures.")
        return
    heads = ("NLPD", "95 %", "Brier", "ECE", "95 %", "ECE if calibrated")
    table = new_table("", *heads, right=heads)
    for words, each in (("learner's own", found.before), ("with temperature", found.after)):
        if each is not None:
            table.add_row(
                words, f"{each.nlpd:.3f}", _ends(each.nlpd_interval), f"{each.brier:.3f}",
                f"{each.ece:.3f}", _ends(each.ece_interval), f"{each.ece_floor:.3f}",
            )  # fmt: skip
    console.print(table)
    numbers = ("images", "mean probability", "right", "95 %")
    table = new_table("taken for", *numbers, right=numbers)
    for one in found.by_class:
        table.add_row(
            escape(one.name), f"{one.images:,}", f"{one.confidence:.3f}",
            f"{one.right / one.images:.3f}", _ends((one.low, one.high)),
        )  # fmt: skip
    console.print(table)
    if found.sets is not None:
        sets = found.sets
        console.print(
            f"Likely classes promise {percent(sets.promised, 0)}, and held "
            f"{percent(sets.held / sets.images)} ({_ends(sets.interval)}); "
            f"{sets.mean_size:.1f} classes on average."
        )


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"
