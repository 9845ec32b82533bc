"""The routes that our pages talk to, beside Streamlit's own: one module for each resource.

Below `/alw/p/KEY`, where KEY names the project:

    queue      POST /queue, /answer, /undo, /release: what the desk asks and answers
    answered   GET  /answered, POST /relabel: the last answers, and a new one in place of an earlier
    pictures   GET  /image/{hash}?side=S: a picture, by content, cached for good
    images     POST /images, /images/...: lists for the gallery, and what they are sorted by
    cards      GET  /images/{hash}/card, .../model, .../nearest: all that is known of one image
    labels     POST /labels, /labels/undo: one act labels a selection
    notes      POST /note, /flag: what people write about images, and flags
    exports    GET  /export, /support, /tuned: labels, a support set, tuned answers, as a file to keep
    map        GET  /map, /map/...: every image as a point on a map of the features
    classes    GET  /classes, POST /classes/...: the class list, and drafts of its next version
    reviews    POST /reviews/queue, /look, /act, /closed: the cases of a reviewer
    roles      POST /roles: images moved between the pool and the audit set
    simulations GET  /simulations/{key}/report: the page of a report

For all projects:

    modules    GET  /alw/modules/{version}/{path}: the code of our components for the browser

Who asks is found out by `ui.door.guard`; a request never says so. Each route names the least role that it
serves. A module is added to `RESOURCES`, and the tests of the guard then cover its routes.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Router
from starlette.types import Receive, Scope, Send

from ui.door.pages import door_routes
from ui.door.settings import Door
from ui.door.visitor import visitor_of
from ui.refusal import Refused
from ui.routes import (
    answered,
    cards,
    classes,
    exports,
    images,
    labels,
    map,
    modules,
    notes,
    pictures,
    queue,
    reviews,
    roles,
    simulations,
)
from ui.routes.answering import OurRoute
from ui.state import OF_PROJECTS, PREFIX, UiState

RESOURCES = (
    queue.routes,
    answered.routes,
    pictures.routes,
    images.routes,
    cards.routes,
    labels.routes,
    exports.routes,
    notes.routes,
    map.routes,
    classes.routes,
    reviews.routes,
    roles.routes,
    simulations.routes,
)


def our_routes(state: UiState) -> list[OurRoute]:
    """The routes of all resources; paths are relative to the prefix of our routes."""
    return [route for resource in RESOURCES for route in resource(state)]


def make_routes(door: Door) -> list[BaseRoute]:
    """The routes of the door and of all resources, to be mounted beside Streamlit's."""
    of_projects = Mount(OF_PROJECTS.removeprefix(PREFIX) + "/{key}", app=_RoutesOfProjects())
    inside = [*door_routes(door), *modules.routes(), of_projects]
    return [Mount(door.path(PREFIX), routes=inside)]


class _RoutesOfProjects:
    """The routes of the project that a request names; those of a project are made once."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[UiState, Router]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the project whose person the guard has found."""
        try:
            state = visitor_of(scope).state
        except Refused as refused:
            await refused.as_json()(scope, receive, send)
            return
        known = self._made.get(state.key)
        if known is None or known[0] is not state:
            # Those of projects that were closed meanwhile are let go.
            self._made = {key: made for key, made in self._made.items() if not made[0].jobs.stopped}
            known = self._made[state.key] = (state, Router(routes=our_routes(state)))
        await known[1](scope, receive, send)
