"""Lists of images for the gallery, and what they are sorted by. For managers.

POST /alw/p/KEY/images            a part of a list: {query, cursor?, start?, limit?}
POST /alw/p/KEY/images/counts     how many images of a list have each label, prediction and cluster: {query}
POST /alw/p/KEY/images/state      what was computed for the images, and what is computed now: {}
POST /alw/p/KEY/images/compute    compute predictions (`score`) or a comparison (`group`): {what}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from alworkbench.core.domain import Job, JobKind, Person, PersonRole
from alworkbench.core.errors import GalleryChanged, NotComputed
from alworkbench.project.gallery import MOST_OF_PAGE
from alworkbench.project.gallery_page import GalleryImage
from alworkbench.project.image_query import ImageQuery, read_query
from ui.messages import check_fields, integer
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, writing
from ui.state import UiState

MOST_OF_QUERY = 80_000
"""Bytes of a query: it may name up to a thousand images."""
COMPUTED = {
    "score": (JobKind.SCORE, "predict all images"),
    "group": (JobKind.GROUP, "compare all images"),
}


def routes(state: UiState) -> list[OurRoute]:
    """Managers see all images with what the model says of them."""
    lists = _Lists(state)
    return [
        writing(state, "/images", PersonRole.MANAGER, lists.page, MOST_OF_QUERY),
        writing(state, "/images/counts", PersonRole.MANAGER, lists.counts, MOST_OF_QUERY),
        writing(state, "/images/state", PersonRole.MANAGER, lists.state),
        writing(state, "/images/compute", PersonRole.MANAGER, lists.compute),
    ]


def plain_images(images: Sequence[GalleryImage]) -> list[Json]:
    """Images as JSON; of the path, the last two parts."""
    return [{**asdict(each), "path": "/".join(each.path.split("/")[-2:])} for each in images]


def parse_query(body: Json) -> ImageQuery:
    """The query of a request. Raises Refused, and InvalidImageQuery."""
    query = body.get("query")
    if not isinstance(query, dict):
        raise Refused(422, "query", "`query` must be an object.")
    return read_query(query)


def parse_cursor(body: Json) -> str | None:
    """The cursor of a request, or None. Raises Refused."""
    cursor = body.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Refused(422, "cursor", "`cursor` must be a text.")
    return cursor


class _Lists:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    def page(self, body: Json, person: Person) -> Json:
        check_fields(body, {"query"}, {"cursor", "start", "limit"})
        start = integer(body, "start", 0, 2**53) if body.get("start") is not None else None
        limit = integer(body, "limit", 1, MOST_OF_PAGE) if "limit" in body else 96
        try:
            page = self._workbench.gallery.page(
                parse_query(body),
                parse_cursor(body),
                start=start,
                limit=limit,
                person=person.name,
            )
        except NotComputed as problem:
            raise Refused(409, "not_computed", str(problem)) from problem
        except GalleryChanged as problem:
            raise Refused(409, "list_changed", str(problem)) from problem
        return {
            "images": plain_images(page.images),
            "start": page.start,
            "total": page.total,
            "cursor": page.cursor,
        }

    def counts(self, body: Json, person: Person) -> Json:
        check_fields(body, {"query"}, set())
        return self._workbench.gallery.counts(parse_query(body), person.name)

    def state(self, body: Json, _person: Person) -> Json:
        check_fields(body, set(), set())
        kinds = {kind for kind, _ in COMPUTED.values()}
        live = [job for job in self._workbench.jobs.live() if job.kind in kinds and _is_ours(job)]
        jobs: list[dict[str, Any]] = [
            {"kind": job.kind.value, "step": job.step or job.title, "fraction": job.fraction}
            for job in live
        ]
        newest = self._workbench.jobs.newest()
        ended = [job for job in newest if job.kind in kinds and _is_ours(job)]
        failed = ended[0].reason if ended and not ended[0].live else ""
        return {**asdict(self._workbench.gallery.state()), "jobs": jobs, "failed": failed}

    def compute(self, body: Json, person: Person) -> Json:
        check_fields(body, {"what"}, {"parts"})
        if body["what"] not in COMPUTED:
            raise Refused(422, "what", f"`what` must be one of {', '.join(COMPUTED)}.")
        kind, title = COMPUTED[body["what"]]
        order = {"do": body["what"], "parts": body.get("parts") is True}
        return {"started": self._state.jobs.start(kind, title, person.name, order)}


def _is_ours(job: Job) -> bool:
    """Whether it computes what lists need; one without an order was started by a command."""
    return job.order.get("do") in (None, *COMPUTED)
