"""Run the browser screens of one or several projects until Ctrl-C.

The server runs in this very process: one signal ends it, and nothing is left behind.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.api import open_project
from alworkbench.core.devices import resolve_device
from alworkbench.core.domain import Person, ProjectFolder
from alworkbench.core.errors import InvalidServing, NoAccounts, PortInUse, ProjectMissing
from alworkbench.project.project_folders import projects_in
from ui import streamlit_options
from ui.door.addresses import ANY_ADDRESS, addresses_of, bracketed, is_loopback, parse_base_path
from ui.door.entrance import Entrance, new_token
from ui.door.limits import MOST_HEADER_BYTES, MOST_UPLOAD
from ui.door.provider import SECRET_VARIABLE, Oidc, oidc_of
from ui.door.proxies import Proxies, proxies_of
from ui.door.settings import DOOR, Door
from ui.projects import Projects

if TYPE_CHECKING:
    from streamlit.starlette import App

    from alworkbench.project.workbench import Workbench
    from ui.job_worker import JobWorker

Ready = Callable[[str], None]
LeftOut = Callable[[Sequence[str], str], None]
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
    project: Path | Sequence[Path] | None = None,
    host: str = "127.0.0.1",
    port: int = 8501,
    ready: Ready | None = None,
    device: str = "auto",
    reach: Reach | None = None,
    home: Path | None = None,
    left_out: LeftOut | None = None,
) -> None:
    """Serve the screens of one project, of several, or of all in the folder `home`; returns after Ctrl-C.

    `ready(url)` is called once the address answers; where nobody has a password, it holds the one-time
    token. Then `left_out(names, url)` is called in a thread where this token does not open some projects,
    because people have passwords there; `url` is where they sign in. `device` is where rounds are computed.
    Raises NoAccounts, InvalidServing, PortInUse, ProjectMissing, DeviceUnavailable; and for one project what
    opening it raises.
    """
    reach = reach or Reach()
    base = parse_base_path(reach.base_path)
    addresses = addresses_of(host, port, reach.allowed_hosts)
    proxies = proxies_of(reach.trusted_proxies, reach.user_header)
    secret = os.environ.get(SECRET_VARIABLE)
    oidc = oidc_of(reach.oidc_issuer, reach.oidc_client, reach.oidc_claim, secret)
    folders = [project] if isinstance(project, Path) else list(project or ())
    check_port(host, port)  # before a project is opened: an older one is upgraded then
    projects = projects_of(folders, home, base, device)
    try:
        entrance = entrance_of(projects, host, proxies, oidc)
        # Streamlit takes a second to import: not before it is known that the server can start.
        from ui.app import build

        door = Door(projects, addresses, proxies, entrance, oidc)
        token = "" if entrance.token is None else f"/?token={entrance.token}"
        url = url_of(host, port) + base + token

        def answers() -> None:
            if ready is not None:
                ready(url)
            if left_out is not None and entrance.token is not None and projects.several:
                # Each project must be opened for it, which nobody should wait for.
                sign_in = f"{url_of(host, port)}{base}{DOOR}"
                threading.Thread(
                    target=say_left_out, args=(projects, left_out, sign_in), daemon=True
                ).start()

        run(build(door, answers), host, port, base)
    finally:
        projects.close()


def say_left_out(projects: Projects, left_out: LeftOut, sign_in: str) -> None:
    """Name the folders of the projects that the printed token does not open, if there are any."""
    names = [each.folder.name for each in projects.with_passwords()]
    if names:
        left_out(names, sign_in)


def projects_of(
    folders: Sequence[Path], home: Path | None, base: str = "", device: str = "cpu"
) -> Projects:
    """The projects to be served: these folders, or those in `home`.

    Raises InvalidServing, ProjectMissing, DeviceUnavailable; and for one folder what opening it raises.
    """
    if (home is None) == (not folders):
        raise InvalidServing(
            "Name the projects with --project FOLDER, or the folder that holds them all with --home FOLDER, "
            "and not both."
        )
    if home is not None:
        check_home(home)
    for folder in folders:
        if not ProjectFolder(folder).holds_project:
            raise ProjectMissing(folder)
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InvalidServing("A project is named twice. Name each once.")
    if device != "cpu":
        resolve_device(device)  # a device that is missing is said now, and not by each project
    projects = Projects(
        lambda folder: open_project(folder, device=device),
        folders,
        home,
        base=base,
        make_worker=_worker,
    )
    if len(folders) == 1:
        projects.all()[0].state()
    return projects


def check_home(home: Path) -> None:
    """Raise InvalidServing where this is no folder, or one that cannot be read."""
    try:
        projects_in(home)
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidServing(
            f"--home {home} is no folder. Make it with `mkdir {home}`; its projects are made in the browser, "
            f"or with `alworkbench init {home}/NAME`."
        ) from None
    except OSError as error:
        raise InvalidServing(
            f"--home {home} cannot be read ({error.strerror or error}). Check its rights with "
            f"`ls -ld {home}`."
        ) from error


def _worker(workbench: Workbench) -> JobWorker:
    from ui.job_worker import JobWorker

    return JobWorker(workbench.session.folder.path, str(workbench.session.device))


def entrance_of(
    projects: Projects, host: str, proxies: Proxies, oidc: Oidc | None = None
) -> Entrance:
    """How people get in: by password, proxy or provider, or on loopback by a one-time token.

    There is a token while any project has nobody with a password, or while there is no project. Projects are
    opened one after the other, and only until this is known. Raises NoAccounts.
    """
    elsewhere = proxies.user_header is not None or oidc is not None
    if elsewhere and any(any(each.active for each in people) for people in _people_of(projects)):
        return Entrance(None)
    guests = (
        not any(p.active and p.has_password for p in people) for people in _people_of(projects)
    )
    if is_loopback(host):
        asks = next(
            guests, True
        )  # without a project, the first one is made by who brings the token
        return Entrance(new_token() if asks or any(guests) else None)
    if all(guests):
        found = projects.all()
        raise NoAccounts(host, found[0].folder if found else "FOLDER")
    return Entrance(None)


def _people_of(projects: Projects) -> Iterator[list[Person]]:
    """The people of each project that can be opened; it is opened when it is asked for."""
    for each in projects.all():
        if each.trouble() is None:
            yield each.state().workbench.people.all()


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
