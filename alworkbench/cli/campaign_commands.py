"""Measuring a running project: its audit set, its accuracy report, and advice when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from alworkbench.api import stores
from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    DeviceOption,
    JsonOption,
    ProjectOption,
    console,
    escape,
    opened,
    print_json,
    progress_bar,
    read_share,
    tell,
)
from alworkbench.core.words import percent

if TYPE_CHECKING:
    from alworkbench.project.accuracy_report import AccuracyReport
    from alworkbench.project.audit_set import AuditOffer

DEFAULT_IMAGES = 200


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench audit --width 0.05 --project birds")(audit)
    app.command(epilog="Example: alworkbench curves --counterfactual --project birds")(curves)
    app.command(epilog="Example: alworkbench advise --target 0.9 --project birds")(advise)


def audit(
    project: ProjectOption = HERE,
    images: Annotated[
        int | None, typer.Option(min=1, help=f"Images to draw. Default: {DEFAULT_IMAGES}.")
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            help="Wanted 95 % interval, to either side, as a share: 0.05 is 5 points.",
            callback=lambda value: read_share(value, 0.005, 0.49),
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MOST_SEED, help="Of the draw.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would buy, and draw nothing.")
    ] = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Draw images at random for the audit set, and open a round that asks them without suggestions.

    The model never learns from them, so they measure it without bias. A second call draws the missing ones.
    """
    from alworkbench.project.audit_set import suggest_audit_size

    if images is not None and width is not None:
        raise typer.BadParameter("Give --images or --width, and not both.")
    with opened(project, device) as workbench:
        if width is not None:
            known = workbench.audit.offer(1)
            wanted = suggest_audit_size(width, known.expected_accuracy)
            images = max(0, wanted - known.audit_before)
            if images == 0:
                tell(
                    as_json,
                    known,
                    f"The audit set has {known.audit_before} images: it is so already.",
                )
                return
        offer = workbench.audit.offer(images or DEFAULT_IMAGES)
        if dry_run:
            tell(as_json, offer, offer_words(offer))
            return
        round_ = workbench.audit.draw(images or DEFAULT_IMAGES, seed)
    value = {"round": round_, "offer": offer}
    tell(
        as_json,
        value,
        f"{offer_words(offer)}\nRound {round_.number} asks them: `alworkbench serve`, then "
        f"`alworkbench close`.",
    )


def offer_words(offer: AuditOffer) -> str:
    """What drawing would buy, in words."""
    before = f", with the {offer.audit_before} there are," if offer.audit_before else ""
    words = (
        f"{offer.images} images{before} give ±{100 * offer.half_width:.1f} points around an accuracy of "
        f"{percent(offer.expected_accuracy, 0)} (95 %)."
    )
    if offer.images >= offer.pool:
        words += " That is all of the pool without an answer: nothing is left to learn from."
    if offer.labelled_before:
        words += (
            f" {offer.labelled_before} images of the pool have an answer already: the audit set stands "
            f"for the {offer.pool} that have none."
        )
    return words


def curves(
    project: ProjectOption = HERE,
    counterfactual: Annotated[
        bool,
        typer.Option(
            "--counterfactual",
            help="Also replay random, entropy and margin on the collected labels (takes a while).",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Of that replay.")] = 5,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show the accuracy report: audit set, estimates from drawn labels, and a replay of collected labels."""
    with opened(project, device) as workbench:
        if counterfactual:
            from alworkbench.simulation.counterfactual import counterfactual as compute

            with progress_bar(as_json) as progress:
                compute(workbench, stores().memory, seeds=seeds, progress=progress)
        found = workbench.audit.report()
    if as_json:
        print_json(found)
    else:
        print_curve(found)


def print_curve(found: AccuracyReport) -> None:
    """Each source under a heading that names it for what it is."""
    _print_audit(found)
    if found.drawn:
        table = _table("Estimated from drawn labels (LURE)", "round", "strategy", "labels")
        for heading in ("accuracy", "95 %", "without correction"):
            table.add_column(heading, header_style="bold", justify="right")
        for each in found.drawn:
            a = each.accuracy
            table.add_row(
                str(each.round), each.strategy, str(a.labels), f"{a.value:.3f}",
                f"[{a.low:.3f}, {a.high:.3f}]", f"{a.naive:.3f}",
            )  # fmt: skip
        console.print(table)
        if found.pooled is not None and len(found.drawn) > 1:
            p = found.pooled
            console.print(
                f"over these rounds, on average: {p.value:.3f} [{p.low:.3f}, {p.high:.3f}]"
            )
        console.print(
            "Each is of the learner that asked, over the images that had no answer then.\n"
        )
    if found.leave_one_out is not None:
        from alworkbench.project.status import left_out_words

        console.print(f"labels left out: {left_out_words(found.leave_one_out)}\n", soft_wrap=True)
    if found.counterfactual is not None:
        _print_counterfactual(found)


def _print_audit(found: AccuracyReport) -> None:
    if not found.audit:
        console.print("No audit set was measured on. Draw one: `alworkbench audit`.\n")
        return
    table = _table("Measured on the audit set", "round", "labels", "images")
    for heading in ("accuracy", "95 %", "balanced", "95 %", "NLPD", "95 %", "ECE", "95 %"):
        table.add_column(heading, header_style="bold", justify="right")
    for record in found.audit:
        values = record.values
        around = values.get("intervals", {})
        row = [str(record.round_number), str(record.labels), str(record.audit_images)]
        row += [f"{values['accuracy']:.3f}"]
        row += [f"[{values['accuracy_low']:.3f}, {values['accuracy_high']:.3f}]"]
        for name in ("balanced_accuracy", "nlpd", "ece"):
            row.append(f"{values[name]:.3f}")
            ends = around.get(name)
            row.append(f"[{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
        table.add_row(*row)
    console.print(table)
    population = found.population
    if population.drawn and population.labelled_before:
        console.print(
            f"The audit set was drawn from {population.candidates} images that had no answer; it does "
            f"not represent the {population.labelled_before} that had one."
        )
    console.print()


def _print_counterfactual(found: AccuracyReport) -> None:
    other = found.counterfactual
    assert other is not None
    table = _table("Replayed among the collected labels", "strategy", "labels")
    for heading in ("accuracy", "95 % interval"):
        table.add_column(heading, header_style="bold", justify="right")
    for labels, accuracy in other.own:
        table.add_row("this project", str(labels), f"{accuracy:.3f}", "")
    for p in other.points:
        around = f"{p.low:.3f} to {p.high:.3f}" if p.low < p.high else ""
        table.add_row(p.strategy, str(p.labels), f"{p.accuracy:.3f}", around)
    console.print(table)
    console.print(escape(other.validity), soft_wrap=True)
    if other.stale:
        console.print("It is out of date: compute it again with --counterfactual.")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, header_style="bold")
    return table


def advise(
    project: ProjectOption = HERE,
    target: Annotated[
        float | None,
        typer.Option(
            help="Wanted accuracy, a share between 0 and 1, such as 0.9. Default: that of `alworkbench set "
            "--target-accuracy`.",
            callback=lambda value: read_share(value),
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether to go on labelling, why, and how many labels a target still needs."""
    with opened(project) as workbench:
        found = workbench.audit.advise(target)
    if as_json:
        print_json(found)
        return
    console.print(f"[bold]{'May stop' if found.stop else 'Go on'}[/]: {escape(found.because)}")
    table = _table("", "rule", "says", "because")
    for finding in found.findings:
        table.add_row(finding.rule, finding.verdict.value, escape(finding.because))
    console.print(table)
