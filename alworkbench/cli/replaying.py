"""The command `replay`: a campaign or a simulation is computed again from its record."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.api import DEFAULT_CACHE, load_context, stores
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    opened,
    progress_bar,
    tell,
)
from alworkbench.cli.datasets import CacheOption
from alworkbench.cli.report import found as found_result
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import ProjectReadOnly

if TYPE_CHECKING:
    from alworkbench.simulation.difference import Difference


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench replay --project birds")(replay)


def replay(
    project: ProjectOption = HERE,
    simulation: Annotated[
        str | None,
        typer.Option(help="Folder or key of a finished simulation, to run that again instead."),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="For --simulation: number of runs, seed by seed. Default: as many as took two minutes.",
        ),
    ] = None,
    at: Annotated[
        Path | None,
        typer.Option(help="For --simulation: the present place of its images, file or project."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="For --simulation: the folder that holds results, as for `report`."),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="For --simulation: runs at the same time.")
    ] = 1,
    cache: CacheOption = DEFAULT_CACHE,
    device: DeviceOption = "cpu",
    until: Annotated[
        int | None, typer.Option("--round", min=1, help="Replay the rounds up to this one only.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute every round again from the record, and name the first difference if there is one.

    The result is kept in the project; the page Rounds shows it. For a simulation, the data are loaded
    again from their origin: a collection, a folder of images, a features file or a project. The exit code
    is 1 if something differs.
    """
    if simulation is not None and until is not None:
        raise typer.BadParameter("--round is of a project, and not for --simulation")
    if simulation is not None:
        _replay_simulation(
            simulation, project, out, at, runs, processes, cache.expanduser(), device, as_json
        )
        return
    for name, value in (("--runs", runs), ("--at", at), ("--out", out)):
        if value is not None:
            raise typer.BadParameter(f"{name} needs --simulation")
    from alworkbench.simulation.kept_replay import replay_and_keep
    from alworkbench.simulation.replay import replay as again

    kept = True
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        try:
            found = replay_and_keep(workbench, stores().memory, progress, until=until)
        except ProjectReadOnly:
            kept = False
            found = again(workbench, stores().memory, progress, until=until)
    words = (
        f"{found.rounds} rounds with {found.images} images were asked again, and "
        f"{found.learners} learners learned again: identical."
    )
    if found.difference is not None:
        words = difference_words(found.difference)
    if not kept:
        words += "\nThe result was not kept: the project cannot be written."
    tell(as_json, found, words)
    if found.difference is not None:
        raise typer.Exit(1)


def _replay_simulation(
    name: str,
    project: Path,
    out: Path | None,
    at: Path | None,
    runs: int | None,
    processes: int,
    cache: Path,
    device: str,
    as_json: bool,
) -> None:
    from alworkbench.core.errors import NotReplayable
    from alworkbench.simulation.load.origin import data_of, origin_of_project, read_origin
    from alworkbench.simulation.rerun import run_again

    result = found_result(name, project, out)
    origin = read_origin(result)
    inside = ProjectFolder(project).simulations.resolve()
    if origin is None and ProjectFolder(project).holds_project:
        # Results of earlier versions do not name their origin. One inside a project is of its labels.
        origin = (
            origin_of_project(project, None) if inside in result.folder.resolve().parents else None
        )
    if origin is None:
        raise NotReplayable(
            f"The result {result.key} does not name the origin of its data: an earlier version of "
            f"alworkbench made it. Run it again with `alworkbench simulate`."
        )
    if at is not None:
        origin = origin.moved(at)
    with progress_bar(as_json) as progress:
        data = data_of(origin, load_context(cache, device, progress, complaints.print))
        found = run_again(result, data, stores().memory, runs, processes, progress)
    if found.difference is not None:
        words = difference_words(found.difference)
    else:
        if found.of == 1:
            which = "The one run was"
        else:
            which = (
                f"{'All' if found.runs == found.of else f'{found.runs} of'} {found.of} runs were"
            )
        words = f"{which} run again on {origin.words()}; {found.images} images asked: identical."
        if found.changed:
            words += f"\nIdentical, although these changed: {'; '.join(found.changed)}."
    tell(
        as_json, {"identical": found.identical, "source": origin.as_facts(), **asdict(found)}, words
    )
    if not found.identical:
        raise typer.Exit(1)


def difference_words(found: Difference) -> str:
    """The first difference in words, with its likely reasons."""
    lines = [f"First difference: {found.what}."]
    if found.image is not None:
        lines.append(f"Recorded: image {found.image[:16]}; now: {(found.found or 'none')[:16]}.")
    lines += [f"Likely reason: {why}." for why in found.why]
    return "\n".join(lines)
