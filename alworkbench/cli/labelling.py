"""Commands of a round: propose a batch, close the round and learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    DeviceOption,
    EngineOption,
    JsonOption,
    MemoryOption,
    ProjectOption,
    console,
    escape,
    new_table,
    opened,
    opened_engine,
    print_json,
    progress_bar,
    read_bytes,
    tell,
)
from alworkbench.core.words import chance_words, percent

if TYPE_CHECKING:
    from alworkbench.project.class_sets import SetCheck
    from alworkbench.project.workbench import Workbench

MOST_IMAGES = 10
"""Images of a round that are printed."""
MOST_NAMES = 4
"""Likely classes of an image that are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        epilog="Example: alworkbench propose --strategy coverage --batch 20 --project birds"
    )(propose)
    app.command(epilog="Example: alworkbench close --project birds")(close)
    app.command(epilog="Example: alworkbench learn --project birds")(learn)


def propose(
    project: ProjectOption = HERE,
    strategy: Annotated[
        str | None,
        typer.Option(help="See `alworkbench strategies`. Default: that of the project."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Number of images. Default: that of the project."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_SEED, help="Seed of this round. Default: from the project's seed."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Unlabelled images whose predictions matter: a folder, manifest or archive, or the "
            "name of a stored target set. They are never proposed. Default: the pool."
        ),
    ] = None,
    memory: MemoryOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate the cost, and write nothing.")
    ] = False,
    sets_by_class: Annotated[
        bool,
        typer.Option(
            "--sets-by-class",
            help="Let the likely classes hold for the images of every class. It needs 9 audit images of "
            "each class or more: a class with fewer is always likely.",
        ),
    ] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Choose the images and keep them, but open no round: see --open-preview.",
        ),
    ] = False,
    open_preview: Annotated[
        bool, typer.Option("--open-preview", help="Open the round of the previewed images.")
    ] = False,
    device: DeviceOption = "auto",
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a round with the images of the pool whose labels improve the model most.

    `--engine` weighs the pool in several processes or on several machines, for coverage and for strategies
    that score each image alone (margin, entropy, least-confidence, predictive-entropy, bald, power-margin,
    power-bald).

    With --preview the images are chosen and kept, and near-copies among them are named. --open-preview then
    opens exactly this round, and refuses where labels, classes or the model changed since.
    """
    from alworkbench.cli.previewing import print_estimate, print_preview
    from alworkbench.project.class_sets import SetSettings
    from alworkbench.project.ranked_batch import MEMORY, Wish

    if preview + open_preview + dry_run > 1:
        raise typer.BadParameter("Give one of --preview, --open-preview and --dry-run.")
    if open_preview:
        with opened(project, device) as workbench:
            print_round(workbench, workbench.rounds.previews.open().id, as_json)
        return
    allowed = MEMORY if memory is None else read_bytes(memory)
    with (
        opened(project, device) as workbench,
        opened_engine(engine) as found,
        progress_bar(as_json) as progress,
    ):
        if dry_run:
            count = None if target is None else workbench.targets.count(target, progress)
            print_estimate(
                workbench.rounds.estimate(strategy, batch, targets=count, memory=allowed), as_json
            )
            return
        targets = None if target is None else workbench.targets.take(target, progress=progress)
        sets = SetSettings(by_class=sets_by_class)
        if preview:
            wish = Wish(strategy, batch, seed, targets, allowed, sets=sets, engine=found)
            print_preview(workbench, workbench.rounds.previews.make(wish, progress), as_json)
            return
        round_ = workbench.rounds.propose(
            strategy,
            batch,
            seed,
            progress,
            targets=targets,
            memory=allowed,
            sets=sets,
            engine=found,
        )
        if targets is not None and not as_json:
            console.print(f"The target set {targets.name} has {len(targets)} images.")
        print_round(workbench, round_.id, as_json)


def close(
    project: ProjectOption = HERE,
    force: Annotated[
        bool, typer.Option("--force", help="Close the round although no image of it has an answer.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Close the open round, learn from all labels, and measure accuracy on the audit set.

    Images of the round without an answer return to the pool.
    """
    from alworkbench.project.class_sets import check_sets

    with opened(project, device) as workbench:
        open_ = workbench.rounds.current()
        with progress_bar(as_json) as progress:
            metrics = workbench.rounds.close(progress, force=force)
        check = None if open_ is None else check_sets(open_, workbench.rounds.items(open_.id))
    print_metrics(metrics, as_json, check)


def learn(
    project: ProjectOption = HERE,
    adaptation: Annotated[
        str | None,
        typer.Option(help="Learn by this method from now on; see `alworkbench adaptations`."),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Learn from all labels without closing a round, for example after `alworkbench label`."""
    with opened(project, device) as workbench:
        if adaptation is not None:
            workbench.learners.change_method(adaptation)
        with progress_bar(as_json) as progress:
            metrics = workbench.learners.learn(progress)
    print_metrics(metrics, as_json)


def print_round(workbench: Workbench, round_id: int, as_json: bool) -> None:
    """Print a round and its first images in the order of the ranking."""
    from alworkbench.acquisition.strategy_cards import score_unit
    from alworkbench.project.round_rows import placed_items

    # From the store: the object of the rounds computes, and would load torch.
    with workbench.session.store.read() as reader:
        round_ = next(r for r in reader.rounds.all() if r.id == round_id)
        items = reader.rounds.items(round_id)
    classes = {c.id: c.name for c in workbench.session.classes().classes}
    sets = round_.class_sets
    likely = [] if sets is None else [f"probably one of these ({sets.level})"]
    if as_json:
        print_json({"round": round_, "items": placed_items(workbench.session, items)})
        return
    unit = score_unit(round_.strategy)
    score = f"score ({unit})" if unit else "score"
    table = new_table(
        "",
        "image",
        score,
        "predicted class",
        "probability",
        *likely,
        right=("", score, "probability"),
        title=f"Round {round_.number}: {len(items)} images, strategy {round_.strategy}",
    )
    for item in items[:MOST_IMAGES]:
        predicted = item.shown_suggestion
        table.add_row(
            str(item.position + 1),
            escape("/".join(Path(workbench.images.get(item.image_id).paths[0]).parts[-2:])),
            "" if item.score is None else f"{item.score:.4f}",
            escape(classes.get(predicted.class_id, "?")) if predicted else "",
            percent(predicted.probability, 0) if predicted else "",
            *(
                [escape(some_names([classes.get(k, "?") for k in sets.shown(item.position)]))]
                if sets is not None and not item.blind
                else [""] * len(likely)
            ),
        )
    console.print(table)
    if any(item.shown_suggestion for item in items):
        console.print(f"Probabilities: {round_.calibration.words}.")
    if sets is not None:
        console.print(sets.words, soft_wrap=True)
    if len(items) > MOST_IMAGES:
        console.print(f"and {len(items) - MOST_IMAGES} more images (--json prints all)")


def some_names(names: Sequence[str]) -> str:
    """`a, b, c, d and 3 more`."""
    left = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {left} more" if left > 0 else "")


def print_metrics(metrics: Any, as_json: bool, check: SetCheck | None = None) -> None:
    """Print the accuracy of a new learner on the audit set, and how often likely classes were right."""
    if metrics is None:
        tell(
            as_json,
            {},
            "Learned from the labels. The project has no audit set, so accuracy was not measured. "
            "`alworkbench audit` draws one.",
        )
        return
    values = metrics.values
    said = ""
    if "fit" in values.get("temperature", ()):
        fit, after = values["temperature"]["fit"], values["calibrated"]
        said = (
            f" A temperature of {fit['temperature']:.2f} [{fit['low']:.2f}, {fit['high']:.2f}] calibrates "
            f"the probabilities: calibration error {values['ece']:.3f} before, {after['ece']:.3f} after "
            f"(cross-fitted; {chance_words(after['ece_floor'])})."
        )
    if check is not None:
        said += f" {check.words}"
    tell(
        as_json,
        metrics if check is None else {**asdict(metrics), "class_sets": asdict(check)},
        f"Learned from {metrics.labels} labels. Accuracy on the audit set "
        f"({metrics.audit_images} images) is {values['accuracy']:.3f}, 95 % interval "
        f"[{values['accuracy_low']:.3f}, {values['accuracy_high']:.3f}].{said}",
    )
