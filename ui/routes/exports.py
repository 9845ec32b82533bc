"""Labels, support sets and tuned answers as files to keep. For managers.

GET /support?name=N&form=F                          a support set that the project keeps: zip, json or csv
GET /tuned?name=N&form=F                            answers of tuned prompts (csv), or their settings (json)
GET /export?format=F&history=1&soft=1&role=R&annotator=A   the export with these options, in a stream

`history` is 0 or 1, and `annotator` may be repeated. A folder comes as a zip archive, which is packed while
it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from alworkbench.core.domain import Person, PersonRole
from alworkbench.inputs.label_formats.registry import NAMES
from alworkbench.project.exports import ExportOrder
from alworkbench.project.kept_supports import kept_file
from alworkbench.project.kept_tuning import FORMS, tuned_file
from alworkbench.project.packed_folder import packed
from ui.refusal import Refused
from ui.routes.answering import OurRoute, reading
from ui.state import UiState

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def routes(state: UiState) -> list[OurRoute]:
    """Managers take labels out of the project."""

    def export(request: Request, _person: Person) -> Response:
        order = _order(request)
        return as_file(lambda: state.workbench.labels.exports.download(order), order.file_name)

    def support(request: Request, _person: Person) -> Response:
        name, form = request.query_params.get("name", ""), request.query_params.get("form", "zip")
        folder = state.workbench.session.folder
        return as_file(lambda: nullcontext(kept_file(folder, name, form)), f"support.{form}")

    def tuned(request: Request, _person: Person) -> Response:
        name, form = request.query_params.get("name", ""), request.query_params.get("form", "csv")
        folder = state.workbench.session.folder
        return as_file(lambda: nullcontext(tuned_file(folder, name, form)), FORMS.get(form, form))

    return [
        reading(state, "/export", PersonRole.MANAGER, export),
        reading(state, "/support", PersonRole.MANAGER, support),
        reading(state, "/tuned", PersonRole.MANAGER, tuned),
    ]


def as_file(make: Callable[[], AbstractContextManager[Path]], name: str) -> Response:
    """A file or a packed folder in a stream, to be kept by the browser.

    What made it is let go after the last byte.
    """
    with ExitStack() as stack:
        path = stack.enter_context(make())
        if path.is_dir():
            return StreamingResponse(
                _packed(path, stack.pop_all()),
                media_type="application/octet-stream",
                headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return FileResponse(
            path,
            media_type="application/octet-stream",
            filename=name,
            headers=HEADERS,
            background=BackgroundTask(stack.pop_all().close),
        )


def _packed(folder: Path, held: ExitStack) -> Iterator[bytes]:
    """The parts of the archive. What is held is let go at their end, also where the browser goes away."""
    with held:
        yield from packed(folder)


def _order(request: Request) -> ExportOrder:
    query = request.query_params
    unknown = set(query) - {"format", "history", "soft", "role", "annotator"}
    if unknown:
        raise Refused(422, "query", f"There is no option {min(unknown)!r}.")
    if query.get("format", "csv") not in NAMES:
        raise Refused(422, "format", f"`format` must be one of {', '.join(NAMES)}.")
    for switch in ("history", "soft"):
        if query.get(switch, "0") not in ("0", "1"):
            raise Refused(422, switch, f"`{switch}` must be 0 or 1.")
    try:
        return ExportOrder(
            format=query.get("format", "csv"),
            history=query.get("history", "0") == "1",
            soft=query.get("soft", "0") == "1",
            role=query.get("role"),  # type: ignore[arg-type]
            annotators=tuple(query.getlist("annotator")),
        )
    except ValidationError:
        raise Refused(422, "role", "`role` must be pool or audit.") from None
