"""What a queued job orders, and carrying it out: closing, learning, ranking, drawing, and so on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import Job
from alworkbench.core.domain.class_draft import read_draft
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.progress import Progress
from alworkbench.core.unexpected import keep_trace, what_to_do
from alworkbench.project.exports import ExportOrder
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.import_orders import ImportOrder

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

_log = logging.getLogger(__name__)
Orders = Mapping[str, "Callable[[Workbench, Mapping[str, Any], Progress], None]"]
"""What carries out a kind of order: with the project, the order, and the progress to call."""


def perform(workbench: Workbench, job: Job, further: Orders | None = None) -> None:
    """Run a queued job in this process, from its start to its recorded end.

    `further` carries out orders that need more than a project: see `alworkbench.api.further_orders`.
    An unexpected error is kept in a file, which the reason of the job names. Raises WorkbenchError where
    the job failed or was cancelled; its reason is recorded.
    """
    with workbench.jobs.work_on(job) as progress:
        try:
            _carry_out(workbench, job.order, progress, further or {})
        except WorkbenchError:
            raise
        except Exception as problem:
            _log.exception("the job %d failed: %s", job.id, job.title)
            trace = keep_trace(problem, workbench.session.folder.path)
            raise WorkbenchError(
                "An unexpected error stopped it. Your labels are kept. "
                + what_to_do(trace, "Start it again")
            ) from problem


_WISHES = {"strategy": "strategy", "images": "batch_size", "seed": "seed", "memory": "memory"}


def wishes(workbench: Workbench, order: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """What the batch of an order shall be, by the fields of `Wish`; what it does not name is usual.

    `strategy`, `images` (how many), `seed`, `targets` (a stored set, or the place of images that are then
    encoded), `memory` in bytes, and `sets_by_class`. Raises what `Targets.take` raises.
    """
    found = {field: order[name] for name, field in _WISHES.items() if order.get(name) is not None}
    if order.get("targets"):
        found["targets"] = workbench.targets.take(order["targets"], progress=progress)
    if order.get("sets_by_class"):
        from alworkbench.project.class_sets import SetSettings

        found["sets"] = SetSettings(by_class=True)
    return found


def _carry_out(
    workbench: Workbench, order: Mapping[str, Any], progress: Progress, further: Orders
) -> None:
    match order.get("do"):
        case "close":
            workbench.rounds.close(progress, force=True)
        case "learn":
            rounds = [each for each in workbench.rounds.all() if each.id == order.get("round_id")]
            workbench.learners.learn(progress, after=rounds[0] if rounds else None)
        case "propose":
            workbench.rounds.propose(**wishes(workbench, order, progress), progress=progress)
        case "preview":
            from alworkbench.project.ranked_batch import Wish

            wish = Wish(**wishes(workbench, order, progress))
            workbench.rounds.previews.make(wish, progress)
        case "draw":
            workbench.audit.draw(order["images"])
        case "prepare":
            workbench.prepared.prepare(progress)
        case "check":
            workbench.incoming.check(ImportOrder.model_validate(order["order"]), progress)
        case "import":
            workbench.incoming.run(ImportOrder.model_validate(order["order"]), progress)
        case "export":
            workbench.labels.exports.write(ExportOrder.model_validate(order["order"]), progress)
        case "encode":
            workbench.incoming.encode(progress=progress)
        case "score":
            workbench.gallery.score(progress, parts=bool(order.get("parts")))
        case "support":
            from alworkbench.project.kept_supports import SupportOrder, keep_support

            keep_support(workbench, SupportOrder.model_validate(order["order"]), progress)
        case "verify":
            from alworkbench.project.support_checks import CheckOrder, check_support

            check_support(workbench, CheckOrder.model_validate(order["order"]), progress)
        case "group":
            workbench.gallery.group(progress)
        case "map":
            from alworkbench.project.feature_map import Layout

            workbench.gallery.map.compute(Layout.UMAP, progress)
        case "templates":
            workbench.prompts.compare(order["templates"], order["by"], progress)
        case "tune":
            from alworkbench.project.kept_tuning import TuningOrder, tune_and_keep

            tune_and_keep(workbench, TuningOrder.model_validate(order["order"]), progress)
        case "classes":
            workbench.classes.apply(read_draft(order["draft"]), progress=progress)
        case "errors":
            workbench.team.reviews.open_label_errors(progress=progress)
        case "evidence":
            workbench.audit.evidence.compute(EvidenceSet(order["of"]), progress)
        case other if other in further:
            further[str(other)](workbench, order, progress)
        case other:
            raise WorkbenchError(f"This version of alworkbench knows no job {other!r}.")
