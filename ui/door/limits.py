"""Limits of a request: its headers, and the size and time of its body, which is read before it is used."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from ui.refusal import Refused

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 * 1024
"""Names and values together, the cookies of other servers on this host included."""
MOST_ADDRESS_BYTES = 4096
"""Path and query."""
MOST_BODY = 64 * 1024
"""Bytes; an answer needs about 300."""
MOST_UPLOAD = 16 * 2**20
"""Bytes of one file for Streamlit's own upload address."""
BODY_SECONDS = 20.0
UPLOAD_SECONDS = 300.0
ONCE = ("host", "origin", "content-length", "content-type", "sec-fetch-site", "transfer-encoding")
"""Headers that must not be repeated: two parts of a server could read different ones."""


def check_headers(scope: Scope, headers: Headers) -> None:
    """Raise Refused for headers or an address that are too long, or repeated where they must not be."""
    raw = scope["headers"]
    if len(raw) > MOST_HEADERS or sum(len(n) + len(v) for n, v in raw) > MOST_HEADER_BYTES:
        raise Refused(431, "headers", "The headers of the request are too long.")
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_ADDRESS_BYTES:
        raise Refused(414, "address", "The address of the request is too long.")
    if any(len(headers.getlist(name)) > 1 for name in ONCE):
        raise Refused(400, "headers", "The request has a header twice.")


def check_path(scope: Scope) -> None:
    """Raise Refused for a path that two programs could read in two ways: `//host`, `..` or a backslash."""
    path: str = scope["path"]
    odd = "//" in path or "\\" in path or any(part in (".", "..") for part in path.split("/"))
    if odd or not path.startswith("/") or not path.isprintable():
        raise Refused(400, "address", "The address of the request is not plain.")


def content_length(headers: Headers) -> int | None:
    """The announced size of a body in bytes, or None. Raises Refused when it is no number."""
    announced = headers.get("content-length")
    if announced is None:
        return None
    if not announced.isascii() or not announced.isdigit() or len(announced) > 18:
        raise Refused(400, "length", "The request has no valid Content-Length.")
    return int(announced)


async def read_body(headers: Headers, receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body. Raises Refused when it is longer than `most` bytes or takes longer than `seconds`."""
    too_long = Refused(413, "size", f"The body is longer than {most:,} bytes.")
    if (content_length(headers) or 0) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "body", "The request ended before its body.")
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_long
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, "slow", f"The body took longer than {seconds:.0f} seconds.") from None


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body, then what the connection says."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
