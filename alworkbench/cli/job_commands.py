"""Commands of jobs: what is computed on a project at this moment, and stopping it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    console,
    counted,
    escape,
    new_table,
    opened,
    print_json,
    tell,
)
from alworkbench.core.domain import Job, JobState

DEFAULT_JOBS = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench jobs cancel 12 --project birds")(jobs)


class JobAction(StrEnum):
    """What to do with a job."""

    CANCEL = "cancel"


def jobs(
    action: Annotated[
        JobAction | None, typer.Argument(help="`cancel` stops the job with the given number.")
    ] = None,
    job: Annotated[int | None, typer.Argument(help="Number of the job to cancel.")] = None,
    project: ProjectOption = HERE,
    limit: Annotated[int, typer.Option(min=1, help="List at most so many.")] = DEFAULT_JOBS,
    as_json: JsonOption = False,
) -> None:
    """List the newest jobs (learning, ranking, encoding and so on), whoever started them, or cancel one.

    A waiting job is cancelled at once, a running one at its next step: nothing of it is stored. A job whose
    process was killed is listed as failed.
    """
    if action is JobAction.CANCEL:
        if job is None:
            raise typer.BadParameter("Give the number of the job: `alworkbench jobs` lists them.")
        cancel(project, job, as_json)
        return
    with opened(project) as workbench:
        found = workbench.jobs.newest(limit)
        now = workbench.session.now()
    if as_json:
        print_json([{**_plain(each), "seconds": each.seconds(now)} for each in found])
        return
    if not found:
        console.print("Nothing was computed yet.")
        return
    table = new_table("job", "what", "state", "progress", "by", "since (UTC)", "took", "why")
    for each in found:
        table.add_row(
            str(each.id),
            escape(each.title),
            "stopping" if each.cancel_asked and each.live else each.state.value,
            escape(progress_words(each)),
            escape(each.asked_by),
            f"{each.started_at or each.queued_at:%Y-%m-%d %H:%M:%S}",
            f"{each.seconds(now):,.0f} s",
            escape(each.reason),
        )
    console.print(table)


def cancel(project: Path, job: int, as_json: bool) -> None:
    """Cancel a job, and say what became of it."""
    with opened(project) as workbench:
        found = workbench.jobs.cancel(job)
    if found.state is JobState.CANCELLED:
        words = f"Job {job} ({found.title}) is cancelled."
    elif found.live:
        words = f"Job {job} ({found.title}) stops at its next step. `alworkbench jobs` shows it."
    else:
        words = f"Job {job} ({found.title}) has ended already: {found.state.value}."
    tell(as_json, _plain(found), words)


def progress_words(job: Job) -> str:
    """How far a job is, such as `learning: 1 of 3`; empty before its first step, and once it is done."""
    if not job.step or not job.live:
        return ""
    return f"{job.step}: {job.done:,} of {counted(job.total, 'step')}" if job.total else job.step


def _plain(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "step": job.step,
        "done": job.done,
        "total": job.total,
        "asked_by": job.asked_by,
        "process": job.process.pid,
        "host": job.process.host,
        "attempts": job.attempts,
        "cancel_asked": job.cancel_asked,
        "queued_at": job.queued_at,
        "started_at": job.started_at,
        "heartbeat_at": job.heartbeat_at,
        "finished_at": job.finished_at,
        "reason": job.reason,
    }
