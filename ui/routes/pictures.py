"""Pictures by content hash.

    GET  /alw/p/KEY/image/{hash}?side=S&v=V   a picture in a form that a browser shows

`side` is one of `inputs.rendition.SIDES`; without it, the picture has its full size. `v` names the version of
the pixels, which changes with the white point of the project. Where it is the one that counts now, the
answer is cached for good. Otherwise a browser asks each time whether its copy still counts.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import ProjectError, WorkbenchError
from alworkbench.inputs.rendition import SIDES
from ui.refusal import Refused
from ui.routes.answering import OurRoute, reading
from ui.state import UiState

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
}
_FOR_GOOD = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


def routes(state: UiState) -> list[OurRoute]:
    """Every person who is signed in sees every picture."""

    def picture(request: Request, _person: Person) -> Response:
        return _picture(state, request)

    return [reading(state, "/image/{content_hash}", PersonRole.ANNOTATOR, picture)]


def picture_address(
    state: UiState, content: str, side: int | None = None, *, version: str | None = None
) -> str:
    """Where a browser finds the picture with this hash; `&side=S` may be added where there is no side.

    `version` is that of `Images.version`, where it was read already.
    """
    address = f"{state.routes}/image/{content}?v={version or state.workbench.images.version()}"
    return address if side is None else f"{address}&side={side}"


def _picture(state: UiState, request: Request) -> Response:
    content = request.path_params["content_hash"]
    if not _HASH.fullmatch(content):
        raise Refused(404, "image", "This project has no such image.")
    side = _side(request.query_params.get("side"))
    try:
        picture = state.workbench.images.rendition(content, side)
    except ProjectError:
        raise
    except (WorkbenchError, LookupError):
        raise Refused(404, "image", "This project has no such image.") from None
    if picture.media_type not in _MEDIA_TYPES:
        raise Refused(404, "image", "This image has no form that a browser can show.")
    tag = f'"{content}-{side or "full"}-{picture.version}"'
    current = request.query_params.get("v") == picture.version
    headers = {**_HEADERS, "Cache-Control": _FOR_GOOD if current else _ASK_AGAIN, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)


def _side(text: str | None) -> int | None:
    """One of SIDES, or None for the full size. Raises Refused."""
    if text is None:
        return None
    found = next((side for side in SIDES if str(side) == text), None)
    if found is None:
        known = ", ".join(map(str, SIDES))
        raise Refused(422, "side", f"`side` must be one of {known}, or left out for the full size.")
    return found
