"""The loop replayed with an oracle in the place of people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from alworkbench.commands.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    escape,
    open_memory_store,
    opened,
    print_json,
    progress_bar,
)


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: alworkbench simulate --project demo -s random -s epig --seeds 10")(
        simulate
    )


def simulate(
    project: ProjectOption = HERE,
    features: Annotated[
        Path | None, typer.Option(help="Simulate on a labelled .npz instead of a project.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="A manifest (label, split, sha256) of the project's images; or `sample`."
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", "-s", help="May be given several times.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Paired over the strategies.")] = 3,
    labels: Annotated[int, typer.Option(min=1, help="Labels that each run may ask.")] = 100,
    batch: Annotated[int, typer.Option(min=1, help="Labels asked at once.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; by default one for each core.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Replay the loop with an oracle, and show what each strategy's labels buy.

    The truth is the project's own labels (pool against audit set), those of a manifest, or those of
    a features file. Test images are never asked and never learned from.
    """
    from alworkbench.demo import sample_truth
    from alworkbench.simulation.plan import Plan
    from alworkbench.simulation.replays import (
        simulate_features,
        simulate_project,
        truth_of_manifest,
    )

    plan = Plan(
        tuple(strategy or ("random", "entropy", "epig")),
        batch_sizes=(batch,),
        seeds=seeds,
        labels=labels,
    )
    at_once = processes or os.cpu_count() or 1
    with progress_bar(as_json) as progress:
        if features is not None:
            result = simulate_features(
                features, plan, open_memory_store, out, progress, at_once, complaints.print
            )
        else:
            with opened(project, device) as workbench:
                known = None
                if truth is not None:
                    is_sample = str(truth) == "sample"
                    known = sample_truth(workbench) if is_sample else truth_of_manifest(truth)
                result = simulate_project(
                    workbench, plan, open_memory_store, known, out, progress, at_once
                )
    print_simulation(result, as_json)


def print_simulation(result: Any, as_json: bool) -> None:
    from alworkbench.simulation.report import table_lines

    rows = result.table()
    if as_json:
        print_json({"summary": result.summary(), "key": result.key, "rows": rows})
        return
    header, *lines = table_lines(rows)
    table = Table(title=result.summary(), title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in header:
        table.add_column(heading, header_style="bold", justify="left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"Learning curve: {escape(str(result.picture))}", soft_wrap=True)
