"""How long an answer waits while a round of 1,000 labels closes: `python -m tests.bench answers`.

The bundled sample. A round of 1,200 random images has 1,000 answers. While it is closed in another thread of
this process, the others are answered one after the other, PAUSE seconds apart. Milliseconds from the call to
the durable answer, without and with a close; and the longest time that a write block of the close was held.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import Answer, AnswerKind, Item, ProjectFolder
from alworkbench.datasets.sample import bundled_sample
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store, open_store
from store.unit_of_work import SqlStore, SqlWriter

LABELS, ASIDE, PAUSE = 1000, 200, 0.1

held: dict[str, float] = {}
"""Name of a thread -> the longest time that it held the write lock, seconds."""


@contextmanager
def watched(self: SqlStore) -> Iterator[SqlWriter]:
    with plain(self) as writer:
        started = time.perf_counter()
        try:
            yield writer
        finally:
            name = threading.current_thread().name
            held[name] = max(held.get(name, 0.0), time.perf_counter() - started)


plain = SqlStore.write


def answer(workbench: Workbench, items: list[Item]) -> list[Answer]:
    truth, classes = sample_truth(workbench).pool, workbench.classes.current()
    given = []
    for item in items:
        found = classes.with_name(truth[workbench.images.get(item.image_id).hash])
        given.append(
            Answer(
                str(item.id), item.image_id, AnswerKind.CLASS, "bench", item_id=item.id,
                class_id=found.id if found else None,
            )
        )  # fmt: skip
    return given


def acknowledged(
    workbench: Workbench, answers: list[Answer], until: threading.Event
) -> list[float]:
    """Milliseconds of each answer, until the event."""
    spent = []
    for each in answers:
        if until.is_set():
            break
        started = time.perf_counter()
        workbench.labels.record(each)
        spent.append(1000 * (time.perf_counter() - started))
        time.sleep(PAUSE)
    return spent


def main() -> None:
    SqlStore.write = watched  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
        workbench = Workbench(ProjectFolder(folder), open_store(folder))
        workbench.images.add(bundled_sample())
        workbench.features.encode()
        opened = workbench.rounds.propose("random", LABELS + ASIDE)
        given = answer(workbench, workbench.rounds.items(opened.id))
        workbench.labels.record_many(given[:LABELS])
        never, ended = threading.Event(), threading.Event()
        quiet = acknowledged(workbench, given[LABELS : LABELS + 50], never)

        def close() -> None:
            workbench.rounds.close()
            ended.set()

        thread = threading.Thread(target=close, name="close")
        started = time.perf_counter()
        thread.start()
        beside = acknowledged(workbench, given[LABELS + 50 :], ended)
        thread.join()
        seconds = time.perf_counter() - started
        workbench.session.store.close()
    table = Table(
        title=f"Answers to a round of {LABELS:,} labels, ms; its close took {seconds:.0f} s and held the "
        f"write lock for at most {1000 * held['close']:,.0f} ms at once",
        title_justify="left",
        box=None,
    )
    for heading in ("while", "answers", "median", "99th percentile", "longest"):
        table.add_column(heading, justify="left" if heading == "while" else "right")
    for words, spent in (("nothing is computed", quiet), ("the round closes", beside)):
        middle, high = np.percentile(spent, (50, 99))
        figures = (f"{middle:.0f}", f"{high:.0f}", f"{max(spent):.0f}")
        table.add_row(words, str(len(spent)), *figures)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
