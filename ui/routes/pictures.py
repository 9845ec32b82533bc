"""Pictures by content hash.

GET  /alw/image/{hash}   a picture in a form that a browser shows, cached for good
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import WorkbenchError
from ui.refusal import Refused
from ui.routes.answering import OurRoute, reading
from ui.state import UiState

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
}


def routes(state: UiState) -> list[OurRoute]:
    """Every person who is signed in sees every picture."""

    def picture(request: Request, _person: Person) -> Response:
        return _picture(state, request.path_params["content_hash"])

    return [reading(state, "/image/{content_hash}", PersonRole.ANNOTATOR, picture)]


def _picture(state: UiState, content_hash: str) -> Response:
    if not _HASH.fullmatch(content_hash):
        raise Refused(404, "image", "This project has no such image.")
    try:
        picture = state.workbench.images.display(content_hash)
    except (WorkbenchError, LookupError):
        raise Refused(404, "image", "This project has no such image.") from None
    if picture.media_type not in _MEDIA_TYPES:
        raise Refused(404, "image", "This image has no form that a browser can show.")
    return Response(picture.data, media_type=picture.media_type, headers=_HEADERS)
