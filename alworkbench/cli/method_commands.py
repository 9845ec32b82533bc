"""Commands that list the acquisition strategies and the learning methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alworkbench.cli.common import JsonOption, console, escape, new_table, print_json

if TYPE_CHECKING:
    from alworkbench.acquisition.cost import Cost


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench strategies --pool 100000 --classes 100 --batch 50")(
        strategies
    )
    app.command(epilog="Example: alworkbench adaptations")(adaptations)


def strategies(
    pool: Annotated[
        int | None, typer.Option(min=1, help="Unlabelled images in the pool; prints the cost.")
    ] = None,
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 20,
    labels: Annotated[int, typer.Option(min=0, help="Labelled images.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Draws of the posterior.")] = 128,
    activation: Annotated[int, typer.Option(min=1, help="Size of an image's activation.")] = 768,
    embedding: Annotated[int, typer.Option(min=1, help="Size of an embedding.")] = 512,
    as_json: JsonOption = False,
) -> None:
    """List the acquisition strategies; `*` marks the default. With --pool, also estimate the cost.

    The time is an estimate for one processor core. The memory is the least that the strategy needs,
    without the features.
    """
    from alworkbench.acquisition.strategy_cards import CARDS
    from alworkbench.core.domain import DEFAULT_ADAPTATION, DEFAULT_STRATEGY

    costs: dict[str, Cost] = {}
    if pool is not None:  # what follows loads torch
        from alworkbench.acquisition.catalogue import STRATEGIES
        from alworkbench.acquisition.cost import Size
        from alworkbench.adaptation.methods import find_method
        from alworkbench.project.batch_estimate import TARGETS

        size = Size(
            candidates=pool,
            targets=min(pool, TARGETS),
            classes=classes,
            draws=draws,
            batch=min(batch, pool),
            labelled=labels,
            embedding=embedding,
            activation=activation,
            text_activation=embedding,
            residual_head=labels > 0 and find_method(DEFAULT_ADAPTATION).residual_head,
            pool_is_target=True,
        )
        costs = {s.name: s.cost(size) for s in STRATEGIES}
    if as_json:
        fields = ("name", "summary", "unit", "range", "source")
        rows: list[dict[str, Any]] = [{f: getattr(s, f) for f in fields} for s in CARDS]
        for row in rows:
            row["default"] = row["name"] == DEFAULT_STRATEGY
            if cost := costs.get(row["name"]):
                row["cost"] = {
                    "operations": cost.operations,
                    "seconds": cost.seconds,
                    "memory_bytes": cost.memory,
                }
        print_json(rows)
        return
    figures = ("seconds", "MiB") if costs else ("score unit", "source")
    headings = ("strategy", "selects", *figures)
    lines = []
    for s in CARDS:
        shown = [s.unit, s.source.split(", ")[-1]]
        if cost := costs.get(s.name):
            shown = [f"{cost.seconds:,.1f}", f"{cost.memory / 2**20:,.0f}"]
        mark = " *" if s.name == DEFAULT_STRATEGY else ""
        lines.append([s.name + mark, s.summary, *shown])
    table = new_table(*headings, right=("seconds", "MiB"))
    for heading, column, cells in zip(
        headings, table.columns, zip(*lines, strict=True), strict=True
    ):
        # Each strategy is one line. On a narrow screen only the sources are cut.
        column.no_wrap = True
        if heading != "source":
            column.min_width = max(map(len, (heading, *cells)))
    for line in lines:
        table.add_row(*map(escape, line))
    console.print(table)


def adaptations(as_json: JsonOption = False) -> None:
    """List the methods that learn from labels; `*` marks the default."""
    from alworkbench.adaptation.method_cards import CARDS

    if as_json:
        print_json([{"name": m.name, "summary": m.summary, "default": m.is_default} for m in CARDS])
        return
    table = new_table("method", "how it learns")
    table.columns[0].no_wrap = True
    for method in CARDS:
        mark = " *" if method.is_default else ""
        table.add_row(escape(method.name + mark), escape(method.summary))
    console.print(table)
