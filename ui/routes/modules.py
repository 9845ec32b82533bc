"""The code of our components for the browser.

    GET  /alw/modules/{version}/{path}   a module or its style, cached for good

They are the same for all projects. The version is that of `ui.web`. After it may stand a hyphen and a number:
a browser that keeps the failure of an address asks for another address of the same file.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.door.visitor import visit_of
from ui.refusal import Refused, answering
from ui.web import MEDIA_TYPES, browser_files, browser_version

_ATTEMPT = re.compile(r"-\d{1,6}", re.ASCII)
_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable"}


def routes() -> list[Route]:
    """Everybody who is signed in to any project of the server uses our components."""
    return [Route("/modules/{version}/{path:path}", answering(_module), methods=["GET"])]


async def _module(request: Request) -> Response:
    visit_of(request.scope)
    version, path = request.path_params["version"], request.path_params["path"]
    after = version.removeprefix(browser_version())
    if after == version or (after and not _ATTEMPT.fullmatch(after)):
        raise Refused(404, "version", "The server has been updated. Load the page again.")
    content = browser_files().get(path)
    if content is None:
        raise Refused(404, "module", "There is nothing at this address.")
    media_type = MEDIA_TYPES[PurePosixPath(path).suffix]
    return Response(content, headers=_HEADERS | {"Content-Type": media_type})
