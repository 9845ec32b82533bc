"""The group `calibrate`: a temperature carried from one labelled data set to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alworkbench.api import DEFAULT_CACHE, load_context
from alworkbench.cli.calibrate_report_command import report
from alworkbench.cli.calibration_choice_command import use
from alworkbench.cli.common import (
    MOST_SEED,
    DeviceOption,
    JsonOption,
    complaints,
    console,
    counted,
    escape,
    new_table,
    print_json,
    progress_bar,
)
from alworkbench.cli.datasets import CacheOption

if TYPE_CHECKING:
    from typer import Context

    from alworkbench.adaptation.temperature_record import TemperatureRecord
    from alworkbench.calibration_study.calibration_figures import Measured
    from alworkbench.calibration_study.labelled_logits import LabelledLogits
    from alworkbench.calibration_study.temperature_transfer import TemperatureTransfer
    from alworkbench.core.progress import Progress
    from alworkbench.simulation.load.context import LoadContext
else:
    # Typer passes an object of the base class, and the tests check types at run time.
    Context = typer.Context.__base__

RECORD_SUFFIX = ".json"
FIGURES = {
    "accuracy": "accuracy",
    "confidence": "mean confidence",
    "nlpd": "NLPD",
    "brier": "Brier score",
    "ece": "ECE",
}
"""Figures with an interval, with their headings."""
PathOption = Annotated[
    Literal["plain", "probit"],
    typer.Option(
        help="plain: softmax of the logits. probit: the logits are divided by sqrt(1 + pi/8 variance) "
        "first, with the variance under the posterior."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group to the application."""
    group = typer.Typer()
    group.callback(
        invoke_without_command=True,
        no_args_is_help=True,
        epilog="Example: alworkbench calibrate --fit-on sample --apply-to digits",
    )(calibrate)
    group.command(epilog="Example: alworkbench calibrate report out --data sample --most 200")(
        report
    )
    group.command(epilog="Example: alworkbench calibrate use zero-shot-confidence --project birds")(
        use
    )
    app.add_typer(group, name="calibrate")


def calibrate(
    ctx: Context,
    fit_on: Annotated[
        str | None,
        typer.Option(
            help="Data set A with labels: a collection (`alworkbench datasets`), a features file (.npz), a "
            "folder of images with a folder for each class, or the folder of a project. Or a temperature "
            "that --save wrote (.json)."
        ),
    ] = None,
    apply_to: Annotated[str | None, typer.Option(help="Data set B with labels, likewise.")] = None,
    split_classes: Annotated[
        bool,
        typer.Option(
            "--split-classes",
            help="Instead of --apply-to: from one half of the classes of A, drawn at random, to the other.",
        ),
    ] = False,
    images: Annotated[
        int | None,
        typer.Option(
            min=1, help="Labelled images of A that the temperature is fitted to.", show_default="50"
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Random samples of so many images. The table shows the first, a line below the spread.",
            show_default="20",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Seed of everything that is drawn.")
    ] = 0,
    path: PathOption = "plain",
    force: Annotated[
        bool,
        typer.Option("--force", help="Apply the temperature of another model all the same."),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="Write the temperature, with what it comes from, to this JSON file."),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Encoder for folders of images: bundled, or ARCH:TAG.")
    ] = "bundled",
    cache: CacheOption = DEFAULT_CACHE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Fit a temperature to labels of data set A, apply it to data set B, and measure what it does there.

    Three zero-shot predictions of B are compared: uncalibrated; with the temperature of A; and with a
    temperature of B itself, cross-fitted, as an oracle. A and B may have other classes. The model must be
    the same.

    Measured are the images of the test part of B, or of the audit set if B is a project. The temperature
    is fitted to a random sample of the same part of A. An image that is in both stands on one side only.
    Give a folder or file as ./NAME if a collection has the same name.
    """
    if ctx.invoked_subcommand is not None:
        if fit_on is not None or apply_to is not None or split_classes:
            raise typer.BadParameter(
                f"these options belong to `alworkbench calibrate` without {ctx.invoked_subcommand}"
            )
        return
    asked = Asked(fit_on, apply_to, split_classes, images, repeats, seed, path, encoder)
    with progress_bar(as_json) as progress:
        context = load_context(cache.expanduser(), device, progress, complaints.print)
        records, target, name = asked.prepare(context, progress)
    from alworkbench.calibration_study.record_file import write_record
    from alworkbench.calibration_study.temperature_transfer import transfer

    found = transfer(records, target, force, seed)
    if save is not None:
        write_record(save, records[0])
    for warning in found.warnings:
        complaints.print(f"Note: {escape(warning)}", soft_wrap=True)
    if as_json:
        print_json(
            {
                "fit_on": name,
                "apply_to": target.name,
                "seed": seed,
                "path": path,
                "record": records[0].record(),
                **{key: getattr(found, key) for key in type(found).__slots__},
            }
        )
        return
    print_transfer(found, name, target.name)
    if save is not None:
        console.print(f"Wrote the temperature to {escape(str(save))}.", soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of `calibrate` ask for."""

    fit_on: str | None
    apply_to: str | None
    split_classes: bool
    images: int | None
    repeats: int | None
    seed: int
    path: str
    encoder: str

    def prepare(
        self, context: LoadContext, progress: Progress
    ) -> tuple[list[TemperatureRecord], LabelledLogits, str]:
        """The temperatures, the data set that they are applied to, and the name of the first data set."""
        from alworkbench.calibration_study.labelled_logits import split_classes
        from alworkbench.calibration_study.record_file import read_record
        from alworkbench.calibration_study.temperature_transfer import (
            FIT_IMAGES,
            REPEATS,
            fit_samples,
            stand_apart,
        )
        from alworkbench.project.session import utc_now

        if self.fit_on is None:
            raise typer.BadParameter("name a data set", param_hint="--fit-on")
        if self.split_classes == (self.apply_to is not None):
            raise typer.BadParameter("give one of both", param_hint="--apply-to, --split-classes")
        if self.fit_on.endswith(RECORD_SUFFIX) and self.apply_to is not None:
            for name, value in (("--images", self.images), ("--repeats", self.repeats)):
                if value is not None:
                    raise typer.BadParameter("the temperature is fitted already", param_hint=name)
            record = read_record(Path(self.fit_on))
            return [record], self._load(self.apply_to, context), Path(self.fit_on).name
        first = self._load(self.fit_on, context)
        if self.split_classes:
            first, second = split_classes(first, self.seed)
        else:
            first, second = stand_apart(first, self._load(str(self.apply_to), context), self.seed)
        images, repeats = self.images or FIT_IMAGES, self.repeats or REPEATS
        records = fit_samples(first, images, repeats, self.seed, utc_now())
        return records, second, first.name

    def _load(self, text: str, context: LoadContext) -> LabelledLogits:
        from alworkbench.adaptation.temperature_record import ProbabilityPath
        from alworkbench.calibration_study.labelled_logits import labelled_logits
        from alworkbench.simulation.load.origin import origin_named

        path = ProbabilityPath(self.path)
        return labelled_logits(origin_named(text, self.encoder), path, context)


def print_transfer(found: TemperatureTransfer, fit_on: str, apply_to: str) -> None:
    """Print the figures, one column for each prediction, the differences and the spread over samples."""
    names = [row.name for row in found.rows]
    title = escape(f"{apply_to}, {counted(found.images, 'image')}")
    table = new_table("", *names, right=names, title=title)
    figures = [row.figures for row in found.rows]
    table.add_row("temperature", *(shown(row.temperature, 2) for row in found.rows))
    for name, heading in FIGURES.items():
        table.add_row(heading, *(shown(getattr(each, name)) for each in figures))
    table.add_row("ECE if calibrated", *(f"{each.ece_floor:.3f}" for each in figures))
    console.print(table)
    console.print(escape("\n".join(words_of(found, fit_on))), soft_wrap=True)


def shown(measured: Measured, digits: int = 3) -> str:
    """A figure with its interval; without, if it has none."""
    value, low, high = (
        f"{each:.{digits}f}" for each in (measured.value, measured.low, measured.high)
    )
    if measured.low == measured.high:
        return value
    return f"{value} [{low}, {high}]"


def words_of(found: TemperatureTransfer, fit_on: str) -> list[str]:
    """What the figures say, one sentence a line."""
    lines = [
        f"transferred: the temperature of {counted(found.fit_images, 'labelled image')} of {fit_on}. oracle: "
        f"the temperature of the measured images themselves, cross-fitted. Brackets: 95 % intervals, those "
        f"of figures over images.",
        f"The transferred temperature changes the NLPD by {difference(found.over_uncalibrated)} nats: "
        f"{verdict(found.over_uncalibrated)}.",
        f"Against the oracle, its NLPD differs by {difference(found.over_oracle)} nats: "
        f"{verdict(found.over_oracle)}.",
    ]
    if len(found.draws) > 1:
        t = [each.temperature.value for each in found.draws]
        nlpd = [each.nlpd for each in found.draws]
        before = found.rows[0].figures.nlpd.value
        lines.append(
            f"{len(found.draws)} samples of {found.fit_images} images: T from {min(t):.2f} to {max(t):.2f} "
            f"(mean {sum(t) / len(t):.2f}), NLPD from {min(nlpd):.3f} to {max(nlpd):.3f} "
            f"(mean {sum(nlpd) / len(nlpd):.3f}); below uncalibrated in "
            f"{sum(each < before for each in nlpd)} of {len(nlpd)}."
        )
    lines.append(
        "A temperature changes no predicted class, so the accuracy is the same in all rows."
    )
    return lines


def difference(measured: Measured) -> str:
    """A signed difference with its interval."""
    return f"{measured.value:+.3f} [{measured.low:+.3f}, {measured.high:+.3f}]"


def verdict(measured: Measured) -> str:
    """What the interval of a difference of NLPDs says."""
    if measured.high < 0:
        return "better on these images"
    return "worse on these images" if measured.low > 0 else "no difference is shown"
