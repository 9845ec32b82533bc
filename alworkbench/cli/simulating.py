"""The loop replayed with an oracle in the place of people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from alworkbench import api
from alworkbench.cli.common import (
    DeviceOption,
    JsonOption,
    complaints,
    console,
    escape,
    print_json,
    progress_bar,
)
from alworkbench.cli.datasets import CacheOption
from alworkbench.core.domain import Goal

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

USUAL_PROJECT = "ALWORKBENCH_PROJECT"
WHERE, HOW, WHO = "Where images come from", "What is compared", "Who answers"


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        epilog="Example: alworkbench simulate --data glyphs -s random -s coverage --seeds 10"
    )(simulate)


def simulate(
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A collection (`alworkbench datasets`); repeatable.", rich_help_panel=WHERE
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="A folder with a folder for each class, a manifest or an archive.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="The same for the test part; else 30 % of --images are.", rich_help_panel=WHERE
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="For --images; bundled if not given.", rich_help_panel=WHERE),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="A labelled features file (.npz).", rich_help_panel=WHERE)
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            "-p",
            help="A project's folder. If nothing else is named: $ALWORKBENCH_PROJECT, or this one.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="A manifest (label, split, sha256) of the project's images, or `sample`; else its own "
            "labels.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    strategies: Annotated[
        list[str] | None,
        typer.Option("--strategy", "-s", help="Repeatable.", rich_help_panel=HOW),
    ] = None,
    adaptations: Annotated[
        list[str] | None,
        typer.Option(
            "--adaptation", help="How labels are learned; repeatable.", rich_help_panel=HOW
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images asked at once (10); repeatable.", rich_help_panel=HOW),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Repetitions, paired over what is compared (3).", rich_help_panel=HOW
        ),
    ] = None,
    labels: Annotated[
        int | None, typer.Option(min=1, help="Images each run asks (100).", rich_help_panel=HOW)
    ] = None,
    audit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Images drawn as an audit set first; they are paid for (0).",
            rich_help_panel=HOW,
        ),
    ] = None,
    pool_fraction: Annotated[
        float | None,
        typer.Option(help="Share of the pool that each seed sees (2/3).", rich_help_panel=HOW),
    ] = None,
    goal: Annotated[
        Goal | None, typer.Option(help="What strategies work for.", rich_help_panel=HOW)
    ] = None,
    transductive: Annotated[
        bool | None,
        typer.Option(
            "--transductive",
            help="Strategies may look at the test images, never at their labels; reports say so.",
            rich_help_panel=HOW,
        ),
    ] = None,
    strength_image: Annotated[
        float | None,
        typer.Option(help="How strongly the posterior holds the image side.", rich_help_panel=HOW),
    ] = None,
    strength_text: Annotated[
        float | None, typer.Option(help="The same for the text side.", rich_help_panel=HOW)
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            help="Share of wrong answers; a plan file may give a confusion matrix.",
            rich_help_panel=WHO,
        ),
    ] = None,
    skip: Annotated[
        float | None, typer.Option(help="Share of images that are skipped.", rich_help_panel=WHO)
    ] = None,
    seconds: Annotated[
        list[str] | None,
        typer.Option(
            help="What an answer takes; repeatable, drawn at random. `own`: as the project's labels "
            "did.",
            rich_help_panel=WHO,
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="A YAML file with the same words; what is said here counts more."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; by default one for each core.")
    ] = None,
    cache: CacheOption = api.DEFAULT_CACHE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Replay the loop with an oracle, and show what each strategy's labels buy.

    Test images are never asked, learned from or looked at. The oracle answers only what was asked; each
    image asked is paid for, and so is each of the audit set. Finished runs are kept: interrupted, the
    same command goes on where it stopped; done, it shows the result again.

    A plan file says the same, a word a line with one value or a list: data, images, test, encoder,
    features, project, truth, strategies, adaptations, batch, seeds, labels, audit, pool_fraction, goal,
    transductive, strength_image, strength_text, noise, skip, seconds, out, processes.
    """
    given = {
        "data": data,
        "images": images,
        "test": test,
        "encoder": encoder,
        "features": features,
        "project": project,
        "truth": truth,
        "strategies": strategies,
        "adaptations": adaptations,
        "batch": batch,
        "seeds": seeds,
        "labels": labels,
        "audit": audit,
        "pool_fraction": pool_fraction,
        "goal": goal,
        "transductive": transductive,
        "strength_image": strength_image,
        "strength_text": strength_text,
        "noise": noise,
        "skip": skip,
        "seconds": seconds,
        "out": out,
        "processes": processes,
    }
    words = {name: value for name, value in given.items() if value not in (None, [])}
    usual = os.environ.get(USUAL_PROJECT)
    if plan is None and usual and not words.keys() & {"data", "images", "features", "project"}:
        words["project"] = usual
    with progress_bar(as_json) as progress:
        results = api.simulate(
            plan,
            cache=cache.expanduser(),
            device=device,
            progress=progress,
            tell=complaints.print,
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
    """A result as a JSON value: summary, facts, rows and folder."""
    return {
        "summary": result.summary(),
        "key": result.key,
        "folder": str(result.folder),
        "facts": result.facts,
        "rows": result.table(),
    }


def print_simulation(result: SimulationResult, as_json: bool = False) -> None:
    """Print the table of a result, or all of it as JSON."""
    from alworkbench.report.text import table_lines

    if as_json:
        print_json(describe(result))
        return
    header, *lines = table_lines(result.table())
    console.print(escape(result.summary()), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in header:
        table.add_column(heading, header_style="bold", justify="left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"Learning curve: {escape(str(result.picture))}", soft_wrap=True)
