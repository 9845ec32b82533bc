"""Reports of simulations.

    GET  /alw/p/KEY/simulations/{key}/report   the page of the report, as `alworkbench report` wrote it

The page holds its pictures and needs nothing else: whatever it says, it runs no script and fetches nothing.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from alworkbench.core.domain import Person, PersonRole
from ui.refusal import Refused
from ui.routes.answering import OurRoute, reading
from ui.state import UiState

_KEY = re.compile(r"[0-9a-f]{16}", re.ASCII)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; font-src data:; "
    "style-src 'unsafe-inline'; sandbox",
    "Cache-Control": "private, no-cache",
}


def routes(state: UiState) -> list[OurRoute]:
    """Managers see the reports."""

    def report(request: Request, _person: Person) -> Response:
        key = request.path_params["key"]
        page = state.workbench.session.folder.simulations / key / "report.html"
        if not _KEY.fullmatch(key) or not page.is_file():
            raise Refused(404, "report", "This project keeps no such report.")
        return Response(page.read_bytes(), media_type="text/html", headers=_HEADERS)

    return [reading(state, "/simulations/{key}/report", PersonRole.MANAGER, report)]


def report_address(state: UiState, key: str) -> str:
    """Where a browser finds the report of the simulation with this key."""
    return f"{state.routes}/simulations/{key}/report"
