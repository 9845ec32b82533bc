"""The command that compares calibrations of the zero-shot model on labelled images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.api import DEFAULT_CACHE, load_context
from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    escape,
    print_facts,
    print_json,
    print_lines,
    progress_bar,
    warn_of_cut_names,
)
from alworkbench.cli.datasets import CacheOption
from alworkbench.cli.prompt_commands import FileOption, SetOption, TemplateOption
from alworkbench.cli.tuning_command import duration

if TYPE_CHECKING:
    from alworkbench.calibration_study.material import StudyMaterial
    from alworkbench.calibration_study.plan import PromptKind
    from alworkbench.calibration_study.study import StudyCost
    from alworkbench.simulation.load.context import LoadContext

PROMPT_NAMES = ("present", "single", "ensemble", "atfd", "tpt", "c-tpt")
"""Kinds of prompts, as users type them."""


def report(
    out: Annotated[Path, typer.Argument(help="Folder to write calibration.html and others into.")],
    project: ProjectOption = HERE,
    data: Annotated[
        str | None,
        typer.Option(help="A collection of `alworkbench datasets` instead of a project."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="A folder for each class, a manifest or an archive instead of a project."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="The labelled images to compare on, as `--images`. Default: a share of them."
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Model for `--images`.", show_default="bundled")
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many labelled images: a random sample.", show_default="1000"
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of the sample, the views and the resamples.")
    ] = 0,
    prompt: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(PROMPT_NAMES)}; repeatable. Default: all.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Kind of prompts to leave out; repeatable.")
    ] = None,
    sets: SetOption = None,
    files: FileOption = None,
    templates: TemplateOption = None,
    phrase: Annotated[
        str | None,
        typer.Option(
            help="Words in front of the class name: the single prompt, from which tuning starts.",
            show_default="a photo of a",
        ),
    ] = None,
    views: Annotated[
        int | None, typer.Option(min=1, help="Views of an image for tuning.", show_default="64")
    ] = None,
    most_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Do not ask, and refuse if the estimate is above this."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate the cost, and write no report.")
    ] = False,
    device: DeviceOption = "auto",
    cache: CacheOption = DEFAULT_CACHE,
    as_json: JsonOption = False,
) -> None:
    """Compare calibrations of the model before any label: a page, pictures and JSON.

    Six kinds of prompts (present, single, ensemble, ATFD-chosen, TPT, C-TPT), each plain, with a
    temperature, with the posterior variance (probit), and with both. Accuracy, NLPD, ECE and Brier have 95 %
    intervals on labelled images that nothing was learned from: the audit set of the project, the test part of
    a collection, or a part of a folder of images.

    The prompts are chosen without labels, and no image is predicted with a temperature that was fitted to
    it. The set imagenet is averaged and ranked unless you name templates. An interrupted run goes on from the
    views that it has encoded.
    """
    from alworkbench.calibration_study.plan import MOST_IMAGES, StudySettings
    from alworkbench.calibration_study.study import prepare
    from alworkbench.core.devices import resolve_device
    from alworkbench.project.session import utc_now
    from alworkbench.prompts.library import collected
    from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING
    from alworkbench.prompts.tuning.views import DEFAULT_VIEWS
    from alworkbench.report.calibration_findings import HOW_TO_READ, findings, headline
    from alworkbench.report.calibration_page import calibration_json, write_calibration
    from alworkbench.report.calibration_tables import lines

    refuse_contradictions(data, images, test, encoder)
    settings = StudySettings(
        kinds=chosen_kinds(prompt, without or ()),
        most=most or MOST_IMAGES,
        seed=seed,
        tuning=DEFAULT_TUNING if phrase is None else replace(DEFAULT_TUNING, phrase=phrase),
        views=views or DEFAULT_VIEWS.count,
    )
    if sets or files or templates:
        given = collected(sets or (), files or (), templates or ())
        settings = replace(settings, templates=given)
    with progress_bar(as_json) as progress:
        context = load_context(cache.expanduser(), device, progress, complaints.print)
        material = loaded(context, project, data, images, test, encoder)
    prepared = prepare(material, settings, resolve_device(device))
    cost = prepared.cost()
    if not as_json:
        print_cost(cost, len(material))
    if dry_run:
        if as_json:
            print_json({"cost": cost})
        else:
            console.print("This was a dry run: no report was written.")
        return
    allow(cost, most_seconds, yes)
    with progress_bar(as_json) as progress:
        result = prepared.run(utc_now(), progress)
    written = write_calibration(result, out)
    if as_json:
        print_json({**calibration_json(result), "cost": cost, "files": asdict(written)})
        return
    warn_of_cut_names(result.cut_names)
    print_lines(lines(result))
    words = (headline(result), *findings(result), *result.missing, HOW_TO_READ)
    for sentence in words:
        console.print(escape(sentence), soft_wrap=True)
    console.print(f"Report: {escape(str(written.page))}", soft_wrap=True)


def refuse_contradictions(
    data: str | None, images: Path | None, test: Path | None, encoder: str | None
) -> None:
    """Raises typer.BadParameter for options that do not belong together."""
    if data is not None and images is not None:
        raise typer.BadParameter("Give --data or --images, not both.", param_hint="--data")
    for name, value in (("--test", test), ("--encoder", encoder)):
        if value is not None and images is None:
            raise typer.BadParameter("It belongs to --images.", param_hint=name)


def chosen_kinds(
    wanted: Collection[str] | None, without: Collection[str]
) -> tuple[PromptKind, ...]:
    """The kinds of prompts of the table, in their usual order. Raises typer.BadParameter for none."""
    from alworkbench.calibration_study.plan import SHORT_NAMES

    for hint, names in (("--prompt", wanted or ()), ("--without", without)):
        if unknown := [name for name in names if name not in SHORT_NAMES]:
            raise typer.BadParameter(
                f"{unknown[0]!r} is none of {', '.join(SHORT_NAMES)}", param_hint=hint
            )
    found = tuple(
        kind
        for name, kind in SHORT_NAMES.items()
        if (not wanted or name in wanted) and name not in without
    )
    if not found:
        raise typer.BadParameter("No kind of prompts is left.", param_hint="--without")
    return found


def loaded(
    context: LoadContext,
    project: Path,
    data: str | None,
    images: Path | None,
    test: Path | None,
    encoder: str | None,
) -> StudyMaterial:
    """The labelled images that the options name."""
    from alworkbench.calibration_study.load_material import (
        material_of_collection,
        material_of_images,
        material_of_project,
    )
    from alworkbench.simulation.load.origin import PROJECT, Origin, opened_project

    if images is not None:
        return material_of_images(images, test, encoder or "bundled", context)
    if data is not None:
        return material_of_collection(data, context)
    with opened_project(Origin(PROJECT, str(project)), context) as workbench:
        return material_of_project(workbench)


def print_cost(cost: StudyCost, labelled: int) -> None:
    """Print what the comparison will cost."""
    print_facts(
        (
            ("images", f"{cost.images:,} of {labelled:,} labelled ones"),
            ("views", f"{cost.views:,} to encode"),
            ("prompts", f"{cost.prompts:,} to encode"),
            ("seconds", f"{duration(cost.seconds)}, without reading files"),
        )
    )


def allow(cost: StudyCost, most_seconds: float | None, yes: bool) -> None:
    """Ask whether to go on, unless an option answers. Raises TimeLimitTooSmall, typer.Abort."""
    from alworkbench.core.errors import TimeLimitTooSmall

    if most_seconds is not None:
        if cost.seconds > most_seconds:
            mend = "compare fewer images with `--most`, or leave out tuning with `--without`"
            raise TimeLimitTooSmall(cost.seconds, most_seconds, mend)
    elif not yes:
        words = f"The comparison takes {duration(cost.seconds)}. Start?"
        typer.confirm(words, abort=True, err=True)
