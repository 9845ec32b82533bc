"""Run the browser screens of one project until Ctrl-C.

The server runs in this very process: one signal ends it, and nothing is left behind.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.api import open_project
from alworkbench.core.errors import NoAccounts, PortInUse
from ui import streamlit_options
from ui.door.addresses import ANY_ADDRESS, addresses_of, bracketed, is_loopback, parse_base_path
from ui.door.entrance import Entrance, new_token
from ui.door.limits import MOST_HEADER_BYTES, MOST_UPLOAD
from ui.door.provider import SECRET_VARIABLE, Oidc, oidc_of
from ui.door.proxies import Proxies, proxies_of
from ui.door.settings import Door
from ui.state import UiState

if TYPE_CHECKING:
    from streamlit.starlette import App

    from alworkbench.project.workbench import Workbench

Ready = Callable[[str], None]
MOST_MESSAGE = 16 * 2**20
"""Bytes of one message of a browser on the WebSocket."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the server is reached besides its own address; see `alworkbench serve --help`."""

    allowed_hosts: Sequence[str] = ()
    base_path: str = ""
    trusted_proxies: Sequence[str] = ()
    user_header: str | None = None
    oidc_issuer: str | None = None
    oidc_client: str | None = None
    oidc_claim: str = "email"


def serve(
    project: Path,
    host: str = "127.0.0.1",
    port: int = 8501,
    ready: Ready | None = None,
    device: str = "auto",
    reach: Reach | None = None,
) -> None:
    """Serve the project's screens; returns after Ctrl-C.

    `ready(url)` is called once the address answers; where nobody has a password, it holds the one-time
    token. `device` is where rounds are computed. Raises NoAccounts, InvalidServing, PortInUse,
    ProjectMissing, ProjectTooNew, DeviceUnavailable.
    """
    reach = reach or Reach()
    base = parse_base_path(reach.base_path)
    addresses = addresses_of(host, port, reach.allowed_hosts)
    proxies = proxies_of(reach.trusted_proxies, reach.user_header)
    secret = os.environ.get(SECRET_VARIABLE)
    oidc = oidc_of(reach.oidc_issuer, reach.oidc_client, reach.oidc_claim, secret)
    workbench = open_project(project, device=device)
    try:
        entrance = entrance_of(workbench, host, project, proxies, oidc)
        check_port(host, port)
        # Streamlit takes a second to import: not before it is known that the server can start.
        from ui.app import build
        from ui.job_worker import JobWorker

        door = Door(UiState(workbench, base), addresses, proxies, entrance, oidc)
        url = (
            url_of(host, port)
            + base
            + ("" if entrance.token is None else f"/?token={entrance.token}")
        )
        worker = JobWorker(project, str(workbench.session.device))
        run(
            build(
                door, workbench.close, (lambda: ready(url)) if ready is not None else None, worker
            ),
            host,
            port,
            base,
        )
    finally:
        workbench.close()


def entrance_of(
    workbench: Workbench, host: str, project: Path, proxies: Proxies, oidc: Oidc | None = None
) -> Entrance:
    """How people get in: by password, proxy or provider, or on loopback by a one-time token.

    Raises NoAccounts.
    """
    active = [each for each in workbench.people.all() if each.active]
    if active and (proxies.user_header is not None or oidc is not None):
        return Entrance(None)
    if any(each.has_password for each in active):
        return Entrance(None)
    if not is_loopback(host):
        raise NoAccounts(host, project)
    return Entrance(new_token())


def run(app: App, host: str, port: int, base: str = "") -> None:
    """Run an application with the options that this project needs; returns after Ctrl-C."""
    import uvicorn
    from uvicorn.config import WS_PROTOCOLS

    streamlit_options.apply(streamlit_options.options(host, port, base, MOST_UPLOAD // 2**20))
    newer = "websockets-sansio"
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="h11",  # it limits the size of headers
        h11_max_incomplete_event_size=2 * MOST_HEADER_BYTES,
        ws=newer if newer in WS_PROTOCOLS else "auto",
        ws_max_size=MOST_MESSAGE,
        ws_ping_interval=30,
        ws_ping_timeout=30,
        # The guard itself reads these headers, from trusted proxies alone.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        use_colors=False,
        log_level="warning",
    )
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:
        # uvicorn has shut everything down and passes the signal on; for us that is the normal end.
        return


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


def url_of(host: str, port: int) -> str:
    """The address for a browser."""
    shown = dict(zip(ANY_ADDRESS, ("127.0.0.1", "[::1]"), strict=True))
    return f"http://{shown.get(host, bracketed(host))}:{port}"
