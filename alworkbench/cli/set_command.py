"""The command that changes the settings of a project, or shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    JsonOption,
    ProjectOption,
    opened,
    read_share,
    tell,
)
from alworkbench.core.domain import Consensus, Goal, LateAnswers


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("set", epilog="Example: alworkbench set --batch 20 --strategy margin -p birds")(
        set_
    )


def set_(
    project: ProjectOption = HERE,
    encoder: Annotated[
        str | None,
        typer.Option(help="bundled, ARCH:TAG or ARCH:path/to/weights. Before the first encoding."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Acquisition strategy; see `alworkbench strategies`.")
    ] = None,
    adaptation: Annotated[
        str | None, typer.Option(help="Learning method; see `alworkbench adaptations`.")
    ] = None,
    goal: Annotated[
        Goal | None,
        typer.Option(help="accuracy: every image has the same weight; balanced: every class."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Number of images in a batch.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_SEED, help="Seed of all random numbers. Before the first round."
        ),
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=1, help="From how many people an answer is wanted.")
    ] = None,
    overlap_share: Annotated[
        float | None, typer.Option(help="Share of the images that want them; the others want one.")
    ] = None,
    blind_share: Annotated[
        float | None, typer.Option(help="Share of the images that is shown without suggestion.")
    ] = None,
    late_answers: Annotated[
        LateAnswers | None,
        typer.Option(help="Keep answers that come too late as second opinions, or refuse them."),
    ] = None,
    consensus: Annotated[
        Consensus | None, typer.Option(help="How several answers become one label.")
    ] = None,
    prepare_at: Annotated[
        float | None,
        typer.Option(
            help="Share of a round's answers at which the server prepares the next round, such as 0.8; 0: "
            "never."
        ),
    ] = None,
    target_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Accuracy on the audit set at which you want to stop, such as 0.9; 0: none. `alworkbench "
            "advise` and the curves page compare with it."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change settings of the project, all or none. Without options, show them.

    Strategy, batch, goal and learning method count from the next round on; an open round keeps its images.
    The class list has commands of its own: see `alworkbench classes`.
    """
    from alworkbench.project.settings_change import change_settings

    with opened(project) as workbench:
        before = workbench.session.settings()
        after = change_settings(
            workbench.session,
            encoder=encoder,
            strategy=strategy,
            adaptation=adaptation,
            goal=goal,
            batch_size=batch,
            seed=seed,
            overlap=overlap,
            overlap_share=read_share(overlap_share, hint="--overlap-share"),
            blind_share=read_share(blind_share, hint="--blind-share"),
            late_answers=late_answers,
            consensus=consensus,
            prepare_at=read_share(prepare_at, hint="--prepare-at"),
            target_accuracy=read_share(target_accuracy, hint="--target-accuracy"),
        )
    old, new = asdict(before), asdict(after)
    changes = [f"{name}: {old[name]} -> {new[name]}" for name in new if old[name] != new[name]]
    listed = "\n".join(f"{name}: {value}" for name, value in new.items())
    given = (
        *(encoder, strategy, adaptation, goal, batch, seed),
        *(
            overlap,
            overlap_share,
            blind_share,
            late_answers,
            consensus,
            prepare_at,
            target_accuracy,
        ),
    )
    if changes:
        words = "Changed " + "; ".join(changes) + "."
    elif any(each is not None for each in given):
        words = "The settings are so already. Nothing was changed."
    else:
        words = listed
    tell(as_json, after, words)
