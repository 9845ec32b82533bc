"""Serve the screens over a fake project, in a process of its own that a test can kill.

    python tests/browser/fake_server.py SPEC.json PORT

SPEC holds the keyword arguments of FakeWorkbench, its `folder` and whether a round is `open`.
"""

import json
import sys
from pathlib import Path

from tests.ui.fake_workbench import FakeWorkbench
from ui.app import build
from ui.door.addresses import addresses_of
from ui.door.settings import Door
from ui.serve import run
from ui.state import UiState


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(spec.pop("folder"))
    open_round = spec.pop("open", True)
    if "names" in spec:
        spec["names"] = tuple(spec["names"])
    workbench = FakeWorkbench(folder, journal=folder / "journal.jsonl", **spec)
    if open_round and workbench.rounds.current() is None:
        workbench.rounds.propose()
    port = int(sys.argv[2])
    door = Door(UiState(workbench), addresses_of("127.0.0.1", port, ()))
    run(build(door), "127.0.0.1", port)


if __name__ == "__main__":
    main()
