"""What one turn of the loop costs on the bundled sample: seconds, and peak memory above the start.

Each step runs in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import Answer, AnswerKind, ProjectFolder
from alworkbench.datasets.sample import bundled_sample
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store, open_store


def opened(folder: Path) -> Workbench:
    return Workbench(ProjectFolder(folder), open_store(folder))


def bring_in(folder: Path) -> None:
    opened(folder).images.add(bundled_sample())


def encode(folder: Path) -> None:
    opened(folder).features.encode()


def rank(folder: Path) -> None:
    opened(folder).rounds.propose(batch_size=100)


def adapt(folder: Path) -> None:
    opened(folder).rounds.close()


def answer(folder: Path) -> None:
    workbench = opened(folder)
    truth, classes = sample_truth(workbench).pool, workbench.classes.current()
    for item in workbench.labels.claim("bench", 100):
        image = workbench.images.get(item.image_id)
        found = classes.with_name(truth[image.hash])
        workbench.labels.record(
            Answer(
                event_id=f"{item.id}",
                image_id=item.image_id,
                kind=AnswerKind.CLASS,
                annotator="bench",
                class_id=found.id if found else None,
                item_id=item.id,
                lease_token=item.lease.token if item.lease else None,
            )
        )


STEPS: dict[str, Callable[[Path], None]] = {
    "import 4,000 images": bring_in,
    "encode them": encode,
    "rank 3,000 and pick 100 (the default)": rank,
    "record 100 labels": answer,
    "learn from 100 labels and measure": adapt,
}


def measured(step: str, folder: Path, answers: multiprocessing.Queue) -> None:
    """Run a step and report seconds and peak MiB above what the imports took."""
    scale = 1024 if sys.platform == "linux" else 2**20
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    began = time.perf_counter()
    STEPS[step](folder)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    answers.put((seconds, peak - start, peak))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    title = f"One turn of the loop, bundled sample, {torch.get_num_threads()} threads"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("step", "seconds", "peak above start, MiB", "peak in all, MiB"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
        for step in STEPS:
            answers: multiprocessing.Queue = context.Queue()
            process = context.Process(target=measured, args=(step, folder, answers))
            process.start()
            seconds, above, peak = answers.get()
            process.join()
            table.add_row(step, f"{seconds:.2f}", f"{above:.0f}", f"{peak:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
