"""Run the browser screens of one project until Ctrl-C.

The server runs in this very process: one signal ends it, and nothing is left behind.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.core.errors import PortInUse

if TYPE_CHECKING:
    from streamlit.starlette import App

UPLOAD_MEGABYTES = 16
"""No page takes uploads yet; Streamlit's own upload address is capped all the same."""

Ready = Callable[[str], None]


def serve(
    project: Path,
    host: str = "127.0.0.1",
    port: int = 8501,
    ready: Ready | None = None,
    device: str = "auto",
) -> None:
    """Serve the project's screens; returns after Ctrl-C.

    `ready(url)` is called once the address answers; `device` is where rounds are computed.
    Raises PortInUse, ProjectMissing, ProjectTooNew, DeviceUnavailable.
    """
    check_port(host, port)
    # Streamlit takes a second to import: not before the port is known to be free.
    from ui.app import build, open_state

    state, close = open_state(project, device)
    if not is_loopback(host):
        state = replace(state, allowed_hosts=None)
    address = url_of(host, port)
    run(
        build(state, close, ready=(lambda: ready(address)) if ready is not None else None),
        host,
        port,
    )


def run(app: App, host: str, port: int) -> None:
    """Run an application with the options that this project needs; returns after Ctrl-C."""
    try:
        app.run(config=server_options(host, port))
    except KeyboardInterrupt:
        # uvicorn has shut everything down and passes the signal on; for us that is the normal end.
        return


def server_options(host: str, port: int) -> dict[str, object]:
    """Streamlit's options: no statistics, no watching of files, no error details in the browser."""
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": UPLOAD_MEGABYTES,
        "server.allowedHosts": ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else [],
        "browser.gatherUsageStats": False,
        "browser.serverAddress": host,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "theme.base": str(Path(__file__).with_name("theme.toml")),
    }


def check_port(host: str, port: int) -> None:
    """Raise PortInUse when nothing more can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself will bind: a port that a closed connection still holds is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as problem:
            raise PortInUse(host, port) from problem


def is_loopback(host: str) -> bool:
    """Whether this address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """The address for a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
