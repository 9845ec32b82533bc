"""The routes that our pages talk to, beside Streamlit's own: one module for each resource.

    queue      POST /alw/queue, /alw/answer, /alw/undo, /alw/release: what the desk asks and answers
    answered   GET  /alw/answered, POST /alw/relabel: the last answers, and a new one in place of an earlier
    pictures   GET  /alw/image/{hash}?side=S: a picture, by content, cached for good
    images     POST /alw/images, /alw/images/...: lists for the gallery, and what they are sorted by
    cards      GET  /alw/images/{hash}/card, .../model, .../nearest: all that is known of one image
    labels     POST /alw/labels, /alw/labels/undo: one act labels a selection
    map        GET  /alw/map, /alw/map/...: every image as a point on a map of the features
    reviews    POST /alw/reviews/queue, /look, /act, /closed: the cases of a reviewer
    modules    GET  /alw/modules/{version}/{path}: the code of our components for the browser

Who asks is found out by `ui.door.guard`; a request never says so. Each route names the least role that it
serves. A module is added to `RESOURCES`, and the tests of the guard then cover its routes.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from ui.door.pages import door_routes
from ui.door.settings import Door
from ui.routes import (
    answered,
    cards,
    images,
    labels,
    map,
    modules,
    pictures,
    queue,
    reviews,
)
from ui.routes.answering import OurRoute
from ui.state import UiState

RESOURCES = (
    queue.routes,
    answered.routes,
    pictures.routes,
    images.routes,
    cards.routes,
    labels.routes,
    map.routes,
    reviews.routes,
    modules.routes,
)


def our_routes(state: UiState) -> list[OurRoute]:
    """The routes of all resources; paths are relative to the prefix of our routes."""
    return [route for resource in RESOURCES for route in resource(state)]


def make_routes(door: Door) -> list[BaseRoute]:
    """The routes of the door and of all resources, to be mounted beside Streamlit's."""
    return [Mount(door.state.routes, routes=[*door_routes(door), *our_routes(door.state)])]
