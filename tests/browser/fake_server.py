"""Serve the screens over a fake project, in a process of its own that a test can kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ui.fake_workbench import FakeWorkbench
from ui.app import build
from ui.door.addresses import addresses_of
from ui.door.settings import Door
from ui.projects import Projects
from ui.serve import run, serve
from ui.state import UiState


def serve_fake(folder: Path, port: int, options: dict[str, Any]) -> None:
    """Until Ctrl-C. `options` are those of FakeWorkbench, and whether a round is `open`."""
    options = dict(options)
    open_round = options.pop("open", True)
    workbench = FakeWorkbench(folder, journal=folder / "journal.jsonl", **options)
    if open_round and workbench.rounds.current() is None:
        workbench.rounds.propose()
    door = Door(Projects.of(UiState(workbench)), addresses_of("127.0.0.1", port, ()))
    run(build(door), "127.0.0.1", port)


def serve_real(folder: Path, port: int) -> None:
    """As `alworkbench serve` does."""
    serve(folder, port=port, device="cpu")


def serve_home(folder: Path, port: int) -> None:
    """As `alworkbench serve --home` does."""
    serve(home=folder, port=port, device="cpu")
