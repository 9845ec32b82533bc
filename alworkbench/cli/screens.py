"""Commands that start the screens in the browser, for a project or for the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alworkbench.api import open_project, stores
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    ProjectOption,
    console,
    opened,
    progress_bar,
)
from alworkbench.cli.labelling import print_round
from alworkbench.cli.simulating import print_simulation
from alworkbench.core.domain import ProjectFolder

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port of the web address.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench serve --project birds --port 8600")(serve)
    app.command(epilog="Example: alworkbench demo --no-serve")(demo)


def serve(
    project: ProjectOption = HERE,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 127.0.0.1 serves this machine only.")
    ] = "127.0.0.1",
    port: PortOption = 8501,
    device: DeviceOption = "auto",
) -> None:
    """Start the labelling screens in the browser. Ctrl-C stops them."""
    with opened(project):
        pass  # reports a missing or newer project here instead of in the browser
    run_server(project, host, port, device)


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
    if not ProjectFolder(folder).database.exists():
        store.create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
    with open_project(folder, device=device) as workbench:
        with progress_bar(False) as progress:
            result = prepare_demo(workbench, stores().memory, progress)
        current = workbench.rounds.current()
        if current is not None:
            print_round(workbench, current.id, False)
        print_simulation(result, False)
    if serve_after:
        run_server(folder, "127.0.0.1", port, device)


def run_server(project: Path, host: str, port: int, device: str) -> None:
    """Serve the screens until Ctrl-C, and print their address."""
    from ui.serve import serve as serve_screens

    address = f"http://{host}:{port}"
    console.print(f"Open [bold]{address}[/] in a browser. Ctrl-C stops the server.")
    serve_screens(project, host=host, port=port, device=device)
