"""The command `simulate`: labelling replayed with an oracle in the place of people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from alworkbench import api
from alworkbench.cli.common import (
    DeviceOption,
    EngineOption,
    JsonOption,
    complaints,
    console,
    escape,
    opened_engine,
    print_json,
    print_lines,
    progress_bar,
)
from alworkbench.cli.datasets import CacheOption
from alworkbench.core.domain import Goal
from alworkbench.simulation.config import SOURCES, SimulationConfig

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

USUAL_PROJECT = "ALWORKBENCH_PROJECT"
DATA, COMPARED, ORACLE = "Where images come from", "What is compared", "Who answers"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog="Example: alworkbench simulate --data glyphs -s random -s coverage --seeds 10"
    )(simulate)


def option(name: str, *flags: str, panel: str | None = None, min: int | None = None) -> Any:
    """The option of one field of `SimulationConfig`, with its help text and its default."""
    field = SimulationConfig.model_fields[name]
    return typer.Option(
        *flags,
        help=field.description,
        min=min,
        rich_help_panel=panel,
        show_default=shown(field.default),
    )


def shown(default: Any) -> str | bool:
    """A default in words; nothing for one that stands for `not given`."""
    if default in (None, (), False, Path()):
        return False
    values = default if isinstance(default, tuple) else (default,)
    return ", ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values)


def simulate(
    data: Annotated[list[str] | None, option("data", panel=DATA)] = None,
    images: Annotated[Path | None, option("images", panel=DATA)] = None,
    test: Annotated[Path | None, option("test", panel=DATA)] = None,
    encoder: Annotated[str | None, option("encoder", panel=DATA)] = None,
    features: Annotated[Path | None, option("features", panel=DATA)] = None,
    project: Annotated[Path | None, option("project", "--project", "-p", panel=DATA)] = None,
    truth: Annotated[str | None, option("truth", panel=DATA)] = None,
    strategies: Annotated[
        list[str] | None, option("strategies", "--strategy", "-s", panel=COMPARED)
    ] = None,
    adaptations: Annotated[
        list[str] | None, option("adaptations", "--adaptation", panel=COMPARED)
    ] = None,
    baselines: Annotated[
        list[str] | None, option("baselines", "--baseline", panel=COMPARED)
    ] = None,
    no_baselines: Annotated[
        bool,
        typer.Option(
            "--no-baselines", help="Run no baselines, to save time.", rich_help_panel=COMPARED
        ),
    ] = False,
    batch: Annotated[list[int] | None, option("batch", panel=COMPARED, min=1)] = None,
    seeds: Annotated[int | None, option("seeds", panel=COMPARED, min=1)] = None,
    labels: Annotated[int | None, option("labels", panel=COMPARED, min=1)] = None,
    audit: Annotated[int | None, option("audit", panel=COMPARED, min=0)] = None,
    pool_fraction: Annotated[float | None, option("pool_fraction", panel=COMPARED)] = None,
    goal: Annotated[Goal | None, option("goal", panel=COMPARED)] = None,
    transductive: Annotated[
        bool | None, option("transductive", "--transductive", panel=COMPARED)
    ] = None,
    strength_image: Annotated[float | None, option("strength_image", panel=COMPARED)] = None,
    strength_text: Annotated[float | None, option("strength_text", panel=COMPARED)] = None,
    noise: Annotated[float | None, option("noise", panel=ORACLE)] = None,
    skip: Annotated[float | None, option("skip", panel=ORACLE)] = None,
    seconds: Annotated[list[str] | None, option("seconds", panel=ORACLE)] = None,
    out: Annotated[Path | None, option("out")] = None,
    processes: Annotated[int | None, option("processes", min=1)] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="A YAML file with the same words. Options replace those of the file."),
    ] = None,
    cache: CacheOption = api.DEFAULT_CACHE,
    device: DeviceOption = "auto",
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay labelling with an oracle, and show what the labels of each strategy buy.

    Test images are never asked, and nothing is learned from them. The oracle answers only what was
    asked. Each image asked is paid for, and so is each image of the audit set. Finished runs are
    stored: an interrupted simulation continues when the same command is given again, and a finished
    one is shown again.

    A plan file has one word on each line with one value or a list: data, images, test, encoder,
    features, project, truth, strategies, adaptations, baselines, batch, seeds, labels, audit,
    pool_fraction, goal, noise, skip, seconds, transductive, strength_image, strength_text, processes, out.
    """
    given = {
        name: value for name, value in locals().items() if name in SimulationConfig.model_fields
    }
    words = {name: value for name, value in given.items() if value not in (None, [])}
    if no_baselines:
        if baselines:
            raise typer.BadParameter("give it without --baseline", param_hint="--no-baselines")
        words["baselines"] = ()
    if engine is not None and processes is not None:
        raise typer.BadParameter("--engine goes not with --processes: give local:PROCESSES.")
    usual = os.environ.get(USUAL_PROJECT)
    if plan is None and usual and not words.keys() & set(SOURCES):
        words["project"] = usual
    with opened_engine(engine) as found_engine, progress_bar(as_json) as progress:
        results = api.simulate(
            plan,
            engine=found_engine,
            cache=cache.expanduser(),
            device=device,
            progress=progress,
            tell=complaints.print,
            asked_by="the command line",
            **words,
        )
    print_simulations(results, as_json)


def print_simulations(results: list[SimulationResult], as_json: bool) -> None:
    """One object for one data set, as always; a list of them for several."""
    if as_json and len(results) > 1:
        print_json([describe(result) for result in results])
        return
    for result in results:
        print_simulation(result, as_json)


def describe(result: SimulationResult) -> dict[str, Any]:
    """A result as a JSON value: summary, facts, rows, savings and folder."""
    from alworkbench.report.findings import findings_in
    from alworkbench.report.savings_table import savings_json
    from alworkbench.report.text import finite

    return {
        "summary": result.summary(),
        "key": result.key,
        "folder": str(result.folder),
        "facts": result.facts,
        "rows": result.table(),
        "savings": finite(savings_json(findings_in(result))),
    }


def print_simulation(result: SimulationResult, as_json: bool = False) -> None:
    """Print the table of a result, or all of it as JSON."""
    from alworkbench.report.findings import findings_in
    from alworkbench.report.savings_table import savings_lines, savings_note, savings_title
    from alworkbench.report.text import table_lines

    if as_json:
        print_json(describe(result))
        return
    header, *lines = table_lines(result.table())
    errors = "; ± is one standard error" if len(result.seeds) > 1 else ""
    console.print(escape(result.summary() + errors), soft_wrap=True)
    title = "Accuracy by labels paid for"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in header:
        table.add_column(heading, header_style="bold", justify="left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    findings = findings_in(result)
    if findings.against:
        print_lines(savings_lines(findings), savings_title(findings))
    if note := savings_note(findings):
        console.print(escape(note), soft_wrap=True)
    console.print(f"Learning curve: {escape(str(result.picture))}", soft_wrap=True)
