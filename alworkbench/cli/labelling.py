"""Rounds of labelling: what to ask, the answers, and what is learned from them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    MemoryOption,
    ProjectOption,
    console,
    escape,
    opened,
    print_json,
    progress_bar,
    read_bytes,
    tell,
)

if TYPE_CHECKING:
    from alworkbench.acquisition.cost import Estimate
    from alworkbench.project.workbench import Workbench


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        epilog="Example: alworkbench propose --strategy coverage --batch 20 --project birds"
    )(propose)
    app.command(epilog="Example: alworkbench label answers.csv --project birds --annotator ada")(
        label
    )
    app.command(epilog="Example: alworkbench close --project birds")(close)
    app.command(epilog="Example: alworkbench learn --project birds")(learn)
    app.command(epilog="Example: alworkbench strategies --pool 100000 --classes 100 --batch 50")(
        strategies
    )
    app.command(epilog="Example: alworkbench adaptations")(adaptations)
    app.command(epilog="Example: alworkbench explain photos/0042.png --project birds")(explain)


def propose(
    project: ProjectOption = HERE,
    strategy: Annotated[str | None, typer.Option(help="See `alworkbench strategies`.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Images in the batch.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of this round.")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="A folder, manifest or archive of unlabelled images whose predictions matter, or the "
            "name of a set kept before. They are encoded and never asked. Without it: the pool."
        ),
    ] = None,
    memory: MemoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it will cost; choose and write nothing.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Rank the pool and open a round with the images that a label would teach most about."""
    from alworkbench.project.rounds import MEMORY

    allowed = MEMORY if memory is None else read_bytes(memory)
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if dry_run:
            count = None if target is None else workbench.targets.count(target, progress)
            print_estimate(
                workbench.rounds.estimate(strategy, batch, targets=count, memory=allowed), as_json
            )
            return
        targets = None if target is None else workbench.targets.take(target, progress=progress)
        round_ = workbench.rounds.propose(
            strategy, batch, seed, progress, targets=targets, memory=allowed
        )
        if targets is not None and not as_json:
            console.print(f"For the {len(targets)} images of the target set {targets.name}.")
        print_round(workbench, round_.id, as_json)


def label(
    answers: Annotated[Path, typer.Argument(help="A CSV with the columns image and label.")],
    project: ProjectOption = HERE,
    annotator: Annotated[str, typer.Option(help="Who gave the labels.")] = "csv",
    as_json: JsonOption = False,
) -> None:
    """Record labels from a CSV. `image` is a path or content hash. All rows are recorded, or none."""
    with opened(project) as workbench:
        done = workbench.labels.import_file(answers, annotator)
    tell(as_json, done, f"{done.recorded} labels recorded, {done.known} were known already.")


def close(
    project: ProjectOption = HERE, device: DeviceOption = "auto", as_json: JsonOption = False
) -> None:
    """Learn from the labels so far, measure on the audit set, and close the open round."""
    with opened(project, device) as workbench:
        metrics = workbench.rounds.close()
    print_metrics(metrics, as_json)


def learn(
    project: ProjectOption = HERE, device: DeviceOption = "auto", as_json: JsonOption = False
) -> None:
    """Learn again from every label, without closing a round (after labels came from a file)."""
    with opened(project, device) as workbench:
        metrics = workbench.learners.learn()
    print_metrics(metrics, as_json)


def strategies(
    pool: Annotated[int | None, typer.Option(min=1, help="Images that may be asked.")] = None,
    classes: Annotated[int, typer.Option(min=2, help="Classes in the list.")] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 20,
    labels: Annotated[int, typer.Option(min=0, help="Images that have a label.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Draws of the posterior.")] = 128,
    activation: Annotated[int, typer.Option(min=1, help="Size of an image's activation.")] = 768,
    embedding: Annotated[int, typer.Option(min=1, help="Size of an embedding.")] = 512,
    as_json: JsonOption = False,
) -> None:
    """List the strategies, one line each; with --pool also what a batch costs. `*` is the default.

    Time is an estimate for one processor core; memory is what is needed at least beside the features.
    """
    from alworkbench.acquisition.catalogue import STRATEGIES
    from alworkbench.acquisition.cost import Size
    from alworkbench.adaptation.methods import find_method
    from alworkbench.core.domain import DEFAULT_ADAPTATION, DEFAULT_STRATEGY

    size = None
    if pool is not None:
        from alworkbench.project.rounds import TARGETS

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
    costs = {s.name: s.cost(size) for s in STRATEGIES} if size else {}
    if as_json:
        fields = ("name", "summary", "unit", "range", "source")
        rows: list[dict[str, Any]] = [{f: getattr(s, f) for f in fields} for s in STRATEGIES]
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
    table = Table(box=None, padding=(0, 2, 0, 0))
    headings = ["strategy", "what it asks", "scores in", "source"]
    if size:
        headings[2:] = ["seconds", "MiB"]
    lines = []
    for s in STRATEGIES:
        shown = [s.unit, s.source.split(", ")[-1]]
        if size:
            cost = costs[s.name]
            shown = [f"{cost.seconds:,.1f}", f"{cost.memory / 2**20:,.0f}"]
        mark = " *" if s.name == DEFAULT_STRATEGY else ""
        lines.append([s.name + mark, s.summary, *shown])
    cells = dict(zip(headings, zip(headings, *lines, strict=True), strict=True))
    for heading in headings:
        right: Any = "right" if heading in ("seconds", "MiB") else "left"
        # one line each: where the screen is narrow, sources are cut short, and nothing else
        longest = None if heading == "source" else max(map(len, cells[heading]))
        table.add_column(
            heading, header_style="bold", no_wrap=True, justify=right, min_width=longest
        )
    for line in lines:
        table.add_row(*(escape(part) for part in line))
    console.print(table)


def adaptations(as_json: JsonOption = False) -> None:
    """List the methods of learning from labels, one line each. `*` is the default."""
    from alworkbench.adaptation.methods import METHODS

    if as_json:
        print_json(
            [{"name": m.name, "summary": m.summary, "default": m.is_default} for m in METHODS]
        )
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("method", header_style="bold", no_wrap=True)
    table.add_column("how it learns", header_style="bold")
    for method in METHODS:
        mark = " *" if method.is_default else ""
        table.add_row(escape(method.name + mark), escape(method.summary))
    console.print(table)


def explain(
    image: Annotated[str, typer.Argument(help="A path, the end of one, or a content hash.")],
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say why the model is uncertain about an image, and where that ranks in the pool."""
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        found = workbench.explanations.of(image, progress)
    if as_json:
        print_json(found)
    else:
        print_explanation(found)


def print_round(workbench: Workbench, round_id: int, as_json: bool, most: int = 10) -> None:
    """The images of a round as it was ranked, the first of them in words."""
    from alworkbench.acquisition.catalogue import score_unit

    round_ = next(r for r in workbench.rounds.all() if r.id == round_id)
    items = workbench.rounds.items(round_id)
    classes = {c.id: c.name for c in workbench.classes.current().classes}
    if as_json:
        print_json({"round": round_, "items": items})
        return
    unit = score_unit(round_.strategy)
    score = f"score ({unit})" if unit else "score"
    title = f"Round {round_.number}: {len(items)} images by {round_.strategy}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("", "image", score, "the model says", "sure"):
        right = heading in ("", "sure") or heading.startswith("score")
        table.add_column(heading, header_style="bold", justify="right" if right else "left")
    for item in items[:most]:
        said = item.suggestion
        table.add_row(
            str(item.position + 1),
            escape("/".join(Path(workbench.images.get(item.image_id).paths[0]).parts[-2:])),
            "" if item.score is None else f"{item.score:.4f}",
            escape(classes.get(said.class_id, "?")) if said else "",
            f"{said.probability:.0%}" if said else "",
        )
    console.print(table)


def print_estimate(found: Estimate, as_json: bool) -> None:
    """The stated cost of a batch that was not chosen."""
    size = found.size
    if as_json:
        print_json({**asdict(found), "fits": found.fits})
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    sample = f"{size.targets:,} images"
    rows = (
        ("strategy", found.strategy),
        ("batch", f"{size.batch:,} of {size.candidates:,} images that may be asked"),
        ("targets", f"the pool, or {sample} of it" if size.pool_is_target else sample),
        ("classes", f"{size.classes:,}"),
        ("draws", f"{size.draws:,}"),
        ("labels so far", f"{size.labelled:,}"),
        ("operations", f"{found.operations:.2e} multiply-adds"),
        ("seconds", f"about {found.seconds:,.1f} on one processor core"),
        ("memory", f"{_mebibytes(found.memory)} beside the features"),
        (
            "allowed",
            f"{_mebibytes(found.allowed)}, which is {'enough' if found.fits else 'not enough'}",
        ),
    )
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    console.print("Nothing was chosen and nothing was written.")


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def print_metrics(metrics: Any, as_json: bool) -> None:
    """Print what a new learner reached on the audit set."""
    if metrics is None:
        tell(as_json, {}, "Learned. There is no audit set, so nothing was measured.")
        return
    values = metrics.values
    tell(
        as_json,
        metrics,
        f"Learned from {metrics.labels} labels. Accuracy on the audit set "
        f"({metrics.audit_images} images): {values['accuracy']:.3f} "
        f"[{values['accuracy_low']:.3f}, {values['accuracy_high']:.3f}].",
    )


def print_explanation(found: Any, most: int = 10) -> None:
    """An explanation in words, with the classes in conflict first."""
    image, parts = found.image, found.uncertainty
    role = "of the pool" if found.in_pool else "of the audit set, ranked against the pool"
    label = f"labelled {found.label!r}" if found.label else "without a label"
    place = "/".join(Path(image.paths[0]).parts[-2:])
    console.print(f"[bold]{escape(place)}[/], {role}, {escape(label)}", soft_wrap=True)
    console.print(
        f"uncertain by {parts.total:.4f} nats: {parts.epistemic:.4f} that a label would remove "
        f"(epistemic), {parts.aleatoric:.4f} that stays (aleatoric)",
        soft_wrap=True,
    )
    standings = (("predictive entropy", found.by_entropy), ("what a label teaches", found.by_bald))
    for name, place_in_pool in standings:
        console.print(
            f"by {name}: rank {place_in_pool.rank} of {place_in_pool.of}, "
            f"percentile {place_in_pool.percentile:.1f}"
        )
    if len(found.conflict) > 1:
        shown = ", ".join(found.conflict[:most]) + (" ..." if len(found.conflict) > most else "")
        console.print(f"undecided between {escape(shown)}", soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0))
    headings = ("class", "probability", "moderated", "mean logit", "deviation", "wins draws")
    for heading in headings:
        justify: Any = "left" if heading == "class" else "right"
        table.add_column(heading, header_style="bold", justify=justify)
    torn = [belief for belief in found.classes if belief.name in found.conflict]
    calm = [belief for belief in found.classes if belief.name not in found.conflict]
    for belief in [*torn, *calm][:most]:
        table.add_row(
            escape(belief.name),
            f"{belief.probability:.1%}",
            f"{belief.moderated:.1%}",
            f"{belief.mean:.2f}",
            f"{belief.deviation:.2f}",
            f"{belief.wins:.0%}",
        )
    console.print(table)
    if len(found.classes) > most:
        console.print(f"and {len(found.classes) - most} more classes (--json shows all)")
