"""The commands `report` and `compare`: the report of a simulation, and results compared by seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.api import DEFAULT_CACHE, load_context
from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    escape,
    print_json,
    print_lines,
    progress_bar,
    read_share,
)
from alworkbench.cli.datasets import CacheOption
from alworkbench.core.domain import ProjectFolder

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder that holds results, if `simulate` was called with --out."),
]
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "nlpd", "brier", "ece")
MetricOption = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(METRICS)}; by default that of the simulation's goal."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench report 3f2a --project demo")(report)
    app.command(epilog="Example: alworkbench compare 3f2a 91bc --project demo")(compare)


def report(
    run: Annotated[
        str, typer.Argument(help="Folder of a finished result, or the beginning of its key.")
    ],
    project: ProjectOption = HERE,
    out: OutOption = None,
    metric: MetricOption = None,
    baseline: Annotated[
        str, typer.Option(help="Strategy that the others are compared with.")
    ] = "random",
    target: Annotated[
        float | None,
        typer.Option(
            help="Level to reach; by default what the baseline reaches with half its labels."
        ),
    ] = None,
    cache: CacheOption = DEFAULT_CACHE,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a simulation into its folder: a page, pictures, Markdown and JSON.

    Also prints the labels that each strategy saves against random sampling.

    The page is one file that needs no network.
    """
    from alworkbench.evaluation.curves import NO_SHARES
    from alworkbench.report.savings_table import savings_lines, savings_note, savings_title
    from alworkbench.report.text import INTERVALS
    from alworkbench.report.text import as_json as values
    from alworkbench.report.thumbnails import thumbnails_of
    from alworkbench.report.writing import write_report

    chosen = checked_metric(metric)
    if chosen not in NO_SHARES:  # the default metrics are shares
        read_share(target, hint="--target")
    result = found(run, project, out)
    with progress_bar(as_json) as progress:
        context = load_context(cache.expanduser(), "cpu", progress, complaints.print)
        with thumbnails_of(result, project, context) as images:
            files = write_report(result, images, chosen, baseline, target)
    if as_json:
        print_json(values(result, files.findings))
        return
    if result.transductive:
        console.print("[bold]Transductive:[/] strategies looked at the test images.")
    console.print(escape(files.findings.headline), soft_wrap=True)
    if files.findings.against:
        print_lines(savings_lines(files.findings), savings_title(files.findings))
    if note := savings_note(files.findings):
        console.print(escape(note), soft_wrap=True)
    console.print(escape(INTERVALS), soft_wrap=True)
    console.print(f"Report: {escape(str(files.page))}", soft_wrap=True)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Two or more results, as in `alworkbench report`.")
    ],
    project: ProjectOption = HERE,
    out: OutOption = None,
    metric: MetricOption = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to; by default that of the first result.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed between results of the same data, pool and seeds, paired by seed.

    Every other result is compared with the first.
    """
    from alworkbench.report.comparing import LETTERS
    from alworkbench.report.comparing import compare as compared
    from alworkbench.report.comparison_page import (
        comparison_json,
        lines_of,
        saved_lines,
        write_comparison,
    )
    from alworkbench.report.findings import chief_metric
    from alworkbench.report.savings_table import SIGNS
    from alworkbench.report.text import INTERVALS

    if not 2 <= len(runs) <= len(LETTERS):
        raise typer.BadParameter(f"name 2 to {len(LETTERS)} results", param_hint="RUNS")
    chosen = checked_metric(metric)
    results = [found(each, project, out) for each in runs]
    goal = str(results[0].plan.get("goal", "accuracy"))
    comparison = compared(results, chosen or chief_metric(goal))
    files = write_comparison(comparison, to or results[0].folder)
    if as_json:
        print_json(comparison_json(comparison))
        return
    if results[0].transductive:
        console.print("[bold]Transductive:[/] strategies looked at the test images.")
    for letter, result in zip(LETTERS, results, strict=False):
        console.print(f"{letter}: {escape(result.name)} ({escape(result.key)})", soft_wrap=True)
    print_lines(lines_of(comparison))
    if saved := saved_lines(comparison):
        print_lines(saved)
        console.print(escape(SIGNS), soft_wrap=True)
    console.print(escape(comparison.headline), soft_wrap=True)
    console.print(escape(INTERVALS), soft_wrap=True)
    console.print(f"Comparison: {escape(str(files.page))}", soft_wrap=True)


def found(run: str, project: Path, out: Path | None) -> SimulationResult:
    """The result with this key, or the only one whose key begins so, in `out` or in the project."""
    from alworkbench.simulation.results import find_result

    places = [out] if out is not None else [ProjectFolder(project).simulations]
    return find_result(run, places)


def checked_metric(metric: str | None) -> str | None:
    """The name of a metric, or None. Raises typer.BadParameter for an unknown one."""
    if metric is not None and metric not in METRICS:
        raise typer.BadParameter(
            f"{metric!r} is none of {', '.join(METRICS)}", param_hint="--metric"
        )
    return metric
