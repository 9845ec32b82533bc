"""The command `simulations`: what a project keeps of simulations, finished or not."""

from __future__ import annotations

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    counted,
    escape,
    new_table,
    print_json,
)
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import ProjectMissing


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: alworkbench simulations --project birds")(simulations)


def simulations(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the simulations that a project keeps, newest first: key, what was compared, and how far it is.

    One that is not finished goes on when the same `alworkbench simulate` is given again.
    """
    from alworkbench.simulation.kept import kept_simulations

    folder = ProjectFolder(project)
    if not folder.holds_project:
        raise ProjectMissing(project)
    kept = kept_simulations(folder.simulations)
    if as_json:
        print_json(
            {
                "finished": [
                    {"key": r.key, "name": r.name, "seeds": len(r.seeds), "made": r.created_at}
                    for r in kept.finished
                ],
                "unfinished": [
                    {
                        "key": b.key,
                        "name": b.name,
                        "runs_done": sum(b.seeds_done().values()),
                        "runs": b.total,
                        "begun": b.begun_at,
                    }
                    for b in kept.unfinished
                ],
                "unreadable": [{"folder": name, "why": why} for name, why in kept.unreadable],
            }
        )
        return
    for _, why in kept.unreadable:
        complaints.print(escape(why))
    if not kept.finished and not kept.unfinished:
        console.print("No simulation is kept here. `alworkbench simulate` runs one.")
        return
    table = new_table("key", "what", "seeds", "state", "since (UTC)")
    for begun in kept.unfinished:
        done = sum(begun.seeds_done().values())
        state = f"{done:,} of {counted(begun.total, 'run')} done"
        when = f"{begun.begun_at:%Y-%m-%d %H:%M}"
        table.add_row(begun.key, escape(begun.name), str(begun.plan.seeds), state, when)
    for result in kept.finished:
        when = f"{result.created_at:%Y-%m-%d %H:%M}"
        table.add_row(result.key, escape(result.name), str(len(result.seeds)), "finished", when)
    console.print(table)
