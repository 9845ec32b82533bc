"""The map of the features. For managers, since it shows predictions.

GET  /alw/p/KEY/map?layout=L           all points in few bytes (`MapPoints.packed`); an ETag names their state
GET  /alw/p/KEY/map/state              which layouts there are, and what is computed now
GET  /alw/p/KEY/map/images/{image_id}  one image, as the gallery says it
POST /alw/p/KEY/map/compute            lay the map out by UMAP, in a job: {}
POST /alw/p/KEY/map/cancel             stop that job: {}
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from alworkbench.core.domain import Job, JobKind, Person, PersonRole
from alworkbench.core.errors import ExtraMissing, FeaturesMissing, MapNotComputed
from alworkbench.project.feature_map import UMAP_TITLE, Layout
from alworkbench.project.map_points import map_points, map_version
from alworkbench.project.umap_layout import refuse_without_package
from ui.messages import check_fields
from ui.refusal import Refused
from ui.routes.answering import Json, OurRoute, reading, writing
from ui.routes.images import plain_images
from ui.state import UiState

_ID = re.compile(r"[1-9]\d{0,15}", re.ASCII)


def routes(state: UiState) -> list[OurRoute]:
    """Managers see what the model says of all images."""
    own = _Map(state)
    return [
        reading(state, "/map", PersonRole.MANAGER, own.points),
        reading(state, "/map/state", PersonRole.MANAGER, own.state),
        reading(state, "/map/images/{image_id}", PersonRole.MANAGER, own.image),
        writing(state, "/map/compute", PersonRole.MANAGER, own.compute),
        writing(state, "/map/cancel", PersonRole.MANAGER, own.cancel),
    ]


class _Map:
    def __init__(self, state: UiState) -> None:
        self._state = state
        self._workbench = state.workbench

    def points(self, request: Request, _person: Person) -> Response:
        layout = _layout(request.query_params.get("layout"))
        session, gallery = self._workbench.session, self._workbench.gallery
        try:
            tag = f'"{map_version(session, gallery, layout)}"'
            headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
            if tag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            data = map_points(session, gallery, layout).packed()
        except MapNotComputed as problem:
            raise Refused(409, "not_computed", str(problem)) from problem
        return Response(data, headers=headers, media_type="application/octet-stream")

    def state(self, _request: Request, _person: Person) -> Json:
        try:
            umap = self._workbench.gallery.map.has(Layout.UMAP)
        except FeaturesMissing as problem:
            raise Refused(409, "no_features", str(problem)) from problem
        try:
            refuse_without_package()
            missing = ""
        except ExtraMissing as problem:
            missing = str(problem)
        job = self._job()
        ended = [each for each in self._workbench.jobs.newest() if _is_ours(each)]
        return {
            "umap": umap,
            "missing": missing,
            "job": None
            if job is None
            else {"step": job.step or job.title, "fraction": job.fraction},
            "failed": ended[0].reason if ended and not ended[0].live else "",
        }

    def image(self, request: Request, person: Person) -> Json:
        given = request.path_params["image_id"]
        if not _ID.fullmatch(given):
            raise Refused(404, "image", "This project has no such image.")
        return plain_images(self._workbench.gallery.images([int(given)], person.name))[0]

    def compute(self, body: Json, person: Person) -> Json:
        check_fields(body, set(), set())
        refuse_without_package()
        order = {"do": "map"}
        return {"started": self._state.jobs.start(JobKind.GROUP, UMAP_TITLE, person.name, order)}

    def cancel(self, body: Json, person: Person) -> Json:
        check_fields(body, set(), set())
        job = self._job()
        if job is not None:
            self._workbench.jobs.cancel(job.id, f"cancelled by {person.name}")
        return {"cancelled": job is not None}

    def _job(self) -> Job | None:
        return next((each for each in self._workbench.jobs.live() if _is_ours(each)), None)


def _is_ours(job: Job) -> bool:
    return job.kind is JobKind.GROUP and job.title == UMAP_TITLE


def _layout(text: str | None) -> Layout:
    known = [each.value for each in Layout]
    if text not in known:
        raise Refused(422, "layout", f"`layout` must be one of {', '.join(known)}.")
    return Layout(text)
