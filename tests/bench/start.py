"""What the start of a command costs: seconds, seconds of CPU and peak memory of its process.

The project is small, so that nearly all of it is the start. `propose --dry-run` needs tensors, as a
comparison: it loads torch. Each figure is the least of three runs; the first, which fills caches, is not
among them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

START = "import sys; from alworkbench.cli.main import main; sys.argv[0] = 'alworkbench'; main()"
COMMANDS = (
    ("--help",),
    ("status",),
    ("classes", "list"),
    ("export", "labels.csv"),
    ("strategies",),
    ("propose", "--dry-run", "--device", "cpu"),
)


def make_project(folder: Path) -> None:
    """The bundled sample, encoded."""
    from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
    from alworkbench.core.domain import ProjectFolder
    from alworkbench.datasets.sample import bundled_sample
    from alworkbench.project.session import utc_now
    from alworkbench.project.workbench import Workbench
    from store import create_store, open_store

    place = ProjectFolder(folder / "project")
    create_store(place.database, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
    with Workbench(place, open_store(place.path)) as workbench:
        workbench.images.add(bundled_sample())
        workbench.features.encode()


def run(words: tuple[str, ...], folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak MiB of one command."""
    scale = 1024 if sys.platform == "linux" else 2**20
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        env=os.environ | {"ALWORKBENCH_PROJECT": str(folder / "project")},
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{words} ended with {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / scale


def main() -> None:
    table = Table("command", "seconds", "seconds of CPU", "peak, MiB", box=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A process starts with the peak of the one that starts it, so this one stays small.
        maker = multiprocessing.get_context("spawn").Process(target=make_project, args=(folder,))
        maker.start()
        maker.join()
        for words in COMMANDS:
            run(words, folder)
            least = [
                min(figures)
                for figures in zip(*(run(words, folder) for _ in range(3)), strict=True)
            ]
            table.add_row(" ".join(words), f"{least[0]:.2f}", f"{least[1]:.2f}", f"{least[2]:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
