"""Commands that start the screens in the browser, for a project or for the demonstration."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.api import open_project, stores
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    console,
    escape,
    progress_bar,
    tell,
)
from alworkbench.cli.labelling import print_round
from alworkbench.cli.simulating import print_simulation
from alworkbench.core.domain import ProjectFolder

if TYPE_CHECKING:
    from ui.serve import Reach

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port of the web address.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench serve --project birds --port 8600")(serve)
    app.command(epilog="Example: alworkbench demo --no-serve")(demo)


def serve(
    projects: Annotated[
        list[Path] | None,
        typer.Option(
            "--project",
            "-p",
            help="Folder of the project; repeatable. Without it and without --home: ALWORKBENCH_PROJECT, or "
            "the current folder.",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Serve every project that is a direct subfolder of this folder."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 127.0.0.1 serves this machine only.")
    ] = "127.0.0.1",
    port: PortOption = 8501,
    device: DeviceOption = "auto",
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            envvar="ALWORKBENCH_ALLOWED_HOSTS",
            help="Further name in the address bar: NAME, NAME:PORT, or https://NAME behind a proxy that "
            "ends TLS; repeatable.",
        ),
    ] = None,
    base_path: Annotated[
        str,
        typer.Option(
            envvar="ALWORKBENCH_BASE_PATH",
            help="Path below which the browser sees everything, such as /birds.",
        ),
    ] = "",
    trusted_proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            help="Address or network of a proxy whose headers are believed; repeatable.",
        ),
    ] = None,
    user_header: Annotated[
        str | None,
        typer.Option(help="Header in which a trusted proxy names the person who signed in there."),
    ] = None,
    oidc_issuer: Annotated[
        str | None,
        typer.Option(
            help="Address of an OpenID Connect provider that signs people in. The secret of the client "
            "is in ALWORKBENCH_OIDC_SECRET."
        ),
    ] = None,
    oidc_client: Annotated[
        str | None, typer.Option(help="Name of this server at the provider (client id).")
    ] = None,
    oidc_claim: Annotated[
        str, typer.Option(help="What the provider says that must be the name of a person.")
    ] = "email",
    as_json: JsonOption = False,
) -> None:
    """Start the labelling screens in the browser, of one or several projects. Ctrl-C stops them.

    On 127.0.0.1, while nobody has a password, the printed address lets one browser in. On any other address
    people sign in: `alworkbench people add NAME --role manager` makes the first account.
    """
    from ui.serve import Reach

    reach = Reach(
        tuple(allowed_hosts or ()),
        base_path,
        tuple(trusted_proxies or ()),
        user_header,
        oidc_issuer,
        oidc_client,
        oidc_claim,
    )
    if not projects and home is None:
        projects = [Path(os.environ.get("ALWORKBENCH_PROJECT") or HERE)]
    run_server(projects or [], host, port, device, reach, as_json, home)


def demo(
    folder: Annotated[Path, typer.Option(help="Folder of the demonstration project.")] = Path(
        "demo"
    ),
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Start the screens at the end.")
    ] = True,
    port: PortOption = 8501,
    device: DeviceOption = "auto",
) -> None:
    """Run the labelling loop on the bundled sample. A second run continues the first."""
    import store
    from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS, prepare_demo
    from alworkbench.core.devices import describe, resolve_device
    from alworkbench.project.session import utc_now

    console.print(f"Computing on {describe(resolve_device(device))}.")
    if not ProjectFolder(folder).holds_project:
        store.create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
    with open_project(folder, device=device) as workbench:
        with progress_bar(False) as progress:
            result = prepare_demo(workbench, stores().memory, progress)
        current = workbench.rounds.current()
        if current is not None:
            print_round(workbench, current.id, False)
        print_simulation(result, False)
    if serve_after:
        run_server([folder], "127.0.0.1", port, device)


def run_server(
    projects: Sequence[Path],
    host: str,
    port: int,
    device: str,
    reach: Reach | None = None,
    as_json: bool = False,
    home: Path | None = None,
) -> None:
    """Serve the screens until Ctrl-C, and print their address once it answers."""
    from ui.serve import serve as serve_screens

    def say(address: str) -> None:
        words = f"Open {address} in a browser. Ctrl-C stops the server."
        if "?token=" in address:
            words += " The address lets one browser in, which is then remembered."
        tell(as_json, {"address": address}, words)
        sys.stdout.flush()  # a pipe shows it now, not when the server ends

    def say_left_out(names: Sequence[str], sign_in: str) -> None:
        words = (
            f"The address does not open {', '.join(names)}: people have passwords there. Sign in at "
            f"{sign_in} to open {'it' if len(names) == 1 else 'them'}."
        )
        console.print(escape(words), soft_wrap=True)
        sys.stdout.flush()

    serve_screens(
        projects,
        host=host,
        port=port,
        ready=say,
        device=device,
        reach=reach,
        home=home,
        left_out=None if as_json else say_left_out,  # a reader of JSON expects one value
    )
