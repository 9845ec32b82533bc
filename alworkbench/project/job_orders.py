"""What a queued job orders, and carrying it out: closing, learning, ranking, drawing, and so on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import Job
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.progress import Progress
from alworkbench.core.unexpected import keep_trace, what_to_do

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

_log = logging.getLogger(__name__)


def perform(workbench: Workbench, job: Job) -> None:
    """Run a queued job in this process, from its start to its recorded end.

    An unexpected error is kept in a file, which the reason of the job names. Raises WorkbenchError where
    the job failed or was cancelled; its reason is recorded.
    """
    with workbench.jobs.work_on(job) as progress:
        try:
            _carry_out(workbench, job.order, progress)
        except WorkbenchError:
            raise
        except Exception as problem:
            _log.exception("the job %d failed: %s", job.id, job.title)
            trace = keep_trace(problem, workbench.session.folder.path)
            raise WorkbenchError(
                "An unexpected error stopped it. Your labels are kept. "
                + what_to_do(trace, "Start it again")
            ) from problem


def _carry_out(workbench: Workbench, order: Mapping[str, Any], progress: Progress) -> None:
    match order.get("do"):
        case "close":
            workbench.rounds.close(progress, force=True)
        case "learn":
            rounds = [each for each in workbench.rounds.all() if each.id == order.get("round_id")]
            workbench.learners.learn(progress, after=rounds[0] if rounds else None)
        case "propose":
            workbench.rounds.propose(
                strategy=order["strategy"], batch_size=order["images"], progress=progress
            )
        case "draw":
            workbench.audit.draw(order["images"])
        case "prepare":
            workbench.prepared.prepare(progress)
        case "score":
            workbench.gallery.score(progress, parts=bool(order.get("parts")))
        case "group":
            workbench.gallery.group(progress)
        case "map":
            from alworkbench.project.feature_map import Layout

            workbench.gallery.map.compute(Layout.UMAP, progress)
        case other:
            raise WorkbenchError(f"This version of alworkbench knows no job {other!r}.")
