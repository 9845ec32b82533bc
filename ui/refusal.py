"""A refused request, as routes and the guard raise it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Handler = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """A refused request: an HTTP status, a code for the page, and a reason for the user.

    `final`: sending the same thing again would be refused again.
    """

    def __init__(self, status: int, code: str, reason: str, *, final: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason
        self.final = final

    def as_json(self) -> JSONResponse:
        """The answer to the page."""
        return JSONResponse(
            {"refused": self.final, "code": self.code, "reason": self.reason},
            status_code=self.status,
            headers={"Cache-Control": "no-store"},
        )


def answering(handler: Handler) -> Handler:
    """The handler, which answers a refused request with the reason."""

    @wraps(handler)
    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refusal:
            return refusal.as_json()

    return answered
