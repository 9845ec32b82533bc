"""Headers of every answer: they forbid the browser what no page of ours needs."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

# Streamlit needs inline styles, evaluated chart specifications and components from blob URLs.
# Nothing is ever fetched from another host, whatever a class name contains.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": _PAGE_POLICY,
}
_OPENS_TO_OTHERS = "access-control-"


def with_headers(send: Send, secure: bool) -> Send:
    """A `send` that adds these headers to an HTTP answer, where it does not set them itself.

    Headers that would let pages of other servers read the answer are removed. `secure`: browsers reach the
    server by https, and shall not try http.
    """

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            for name in {n for n in headers if n.lower().startswith(_OPENS_TO_OTHERS)}:
                del headers[name]
            for name, value in _ALWAYS.items():
                headers.setdefault(name, value)
            if secure:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            message = {**message, "headers": headers.raw}
        await send(message)

    return send_with_headers
