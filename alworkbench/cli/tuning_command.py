"""The command that tunes prompts for many images of a project."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    counted,
    escape,
    opened,
    print_facts,
    print_json,
    progress_bar,
    warn_of_cut_names,
)

if TYPE_CHECKING:
    from alworkbench.project.prompt_tuning import PreparedTuning, TuningReport
    from alworkbench.prompts.tuning.predictor import TuningCost

MOST_FILES = 5
"""Unreadable files that are printed."""
HOUR = 3600


def tune(
    answers: Annotated[
        Path, typer.Argument(help="CSV file to write. The same command continues it.")
    ],
    project: ProjectOption = HERE,
    of: Annotated[
        Literal["pool", "audit", "newest-round"], typer.Option(help="Which images to answer.")
    ] = "pool",
    images: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many images: a sample fixed by the project's seed."),
    ] = None,
    objective: Annotated[
        Literal["tpt", "c-tpt", "o-tpt", "a-tpt"], typer.Option(help="What tuning minimises.")
    ] = "c-tpt",
    weight: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of the penalty. Default: the one of its authors."),
    ] = None,
    phrase: Annotated[
        str | None,
        typer.Option(
            help="Words in front of the class name before tuning.", show_default="a photo of a"
        ),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(min=1, help="Views of an image, itself included.", show_default="64"),
    ] = None,
    augmix: Annotated[
        bool, typer.Option("--augmix", help="Change the views by AugMix as well.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MOST_SEED, help="Seed of the views.", show_default="0")
    ] = None,
    without_images: Annotated[
        bool,
        typer.Option(
            "--without-images", help="Tune once for the class list, on the penalty alone: no cost."
        ),
    ] = False,
    most_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Do not ask, and refuse if the estimate is above this."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate the cost, and write no answer.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Tune the prompts for each image without labels, and write the answers to a CSV file.

    The cost is shown before it starts. An interrupted run goes on with the same command. The settings are
    kept beside the file, and a file of other settings is refused. The features of views are kept in the
    project, so that another objective or class list costs less. The project itself does not change.

    Columns: hash, path, class, confidence, and p:NAME for the probability of each class.
    """
    from alworkbench.prompts.tuning.objectives import find_objective
    from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
    from alworkbench.prompts.tuning.views import DEFAULT_VIEWS, ViewSettings

    found = find_objective(objective)
    if found.penalty is None and weight is not None:
        raise typer.BadParameter(f"{objective} has no penalty.", param_hint="--weight")
    if without_images:
        given = {
            "--weight": weight is not None, "--views": views is not None, "--augmix": augmix,
            "--seed": seed is not None, "--most-seconds": most_seconds is not None,
            "--dry-run": dry_run,
        }  # fmt: skip
        if found.penalty is None:
            raise typer.BadParameter(
                f"{objective} has no penalty, so it needs images. Choose another objective.",
                param_hint="--without-images",
            )
        if unused := [name for name, is_given in given.items() if is_given]:
            raise typer.BadParameter(
                f"{', '.join(unused)} would do nothing: no view is made, and tuning is one step.",
                param_hint="--without-images",
            )
    settings = TuningSettings(
        phrase=DEFAULT_TUNING.phrase if phrase is None else phrase, weight=weight
    )
    how = ViewSettings(
        count=views or DEFAULT_VIEWS.count,
        augmix=augmix,
        seed=DEFAULT_VIEWS.seed if seed is None else seed,
    )
    with opened(project, device) as workbench:
        prepared = workbench.tuning.prepare(
            answers,
            objective=found,
            tuning=settings,
            views=None if without_images else how,
            source=of,
            most=images,
        )
        if not as_json:
            warn_of_cut_names(prepared.cut_names)
        cost = prepared.cost()
        if not as_json and cost is not None:
            print_cost(prepared, cost)
        if dry_run:
            print_dry_run(prepared, cost, as_json)
            return
        allow(cost, most_seconds, yes)
        estimated = costs(prepared, cost)  # before the run fills the cache
        with progress_bar(as_json) as progress:
            report = prepared.run(progress)
    if as_json:
        print_json({**asdict(report), "cost": estimated, "cut_names": prepared.cut_names})
    else:
        print_report(report)


def allow(cost: TuningCost | None, most_seconds: float | None, yes: bool) -> None:
    """Ask whether to go on, unless an option answers. Raises TimeLimitTooSmall, typer.Abort."""
    from alworkbench.core.errors import TimeLimitTooSmall

    if cost is None:
        return
    if most_seconds is not None:
        if cost.seconds > most_seconds:
            raise TimeLimitTooSmall(cost.seconds, most_seconds)
    elif not yes:
        typer.confirm(f"Tuning takes {duration(cost.seconds)}. Start?", abort=True, err=True)


def duration(seconds: float) -> str:
    """`about 42.0 s`, and hours for a long time."""
    hours = f", that is {seconds / HOUR:,.1f} hours" if seconds >= HOUR else ""
    return f"about {seconds:,.1f} s{hours}"


def costs(prepared: PreparedTuning, cost: TuningCost | None) -> dict[str, Any] | None:
    """The cost as JSON; None without a cost."""
    if cost is None:
        return None
    return {
        **asdict(cost),
        "operations": cost.operations,
        "seconds": cost.seconds,
        "cached_images": prepared.cached,
        "cache_bytes": prepared.cache_bytes,
    }


def print_cost(prepared: PreparedTuning, cost: TuningCost) -> None:
    """Print what tuning will cost."""
    known = len(prepared.images) - cost.images
    print_facts(
        (
            ("images", f"{cost.images:,} to answer; {known:,} are answered in the file"),
            ("views", f"{cost.views:,} to encode; {prepared.cached:,} images are in the cache"),
            ("operations", f"{cost.operations:.2e} multiply-adds"),
            ("seconds an image", f"about {cost.seconds / cost.images:,.2f}"),
            ("seconds", f"{duration(cost.seconds)}, without reading files"),
            (
                "cache",
                f"grows by {prepared.cache_bytes / 2**20:,.1f} MiB in {prepared.session.folder.views}",
            ),
        )
    )


def print_dry_run(prepared: PreparedTuning, cost: TuningCost | None, as_json: bool) -> None:
    """Print the end of a dry run; as JSON the cost."""
    if as_json:
        print_json({"images": len(prepared.images), "cost": costs(prepared, cost)})
    elif cost is None:
        console.print("All images are answered in the file already.")
    else:
        console.print("This was a dry run: no answer was written.")


def print_report(report: TuningReport) -> None:
    """Print what happened, and files that could not be read."""
    console.print(
        escape(
            f"Answered {counted(report.answered, 'image')}; {report.known:,} had an answer before. "
            f"{report.file} holds the answers, {report.settings_file} the settings."
        ),
        soft_wrap=True,
    )
    if report.unreadable:
        complaints.print(
            f"Skipped {counted(len(report.unreadable), 'file')} that cannot be read:",
            soft_wrap=True,
        )
        for each in report.unreadable[:MOST_FILES]:
            complaints.print(escape(f"  {each.path}: {each.detail}"), soft_wrap=True)
