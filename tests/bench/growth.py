"""Recording, leasing and opening in a project that grows: milliseconds, median and 99th percentile.

`python -m tests.bench.growth [file | server] [IMAGES ...]` (file; 1,000, 10,000, 100,000 and 1,000,000). A
tenth of the images was answered in an earlier round by four people. The open round asks about ITEMS images,
and the same four people label it from one tab each. Measured are

    open     `open_project`, the open round, its count, and the first images for a new person
    lease    `labels.claim` of HELD images by a tab that has answered one of its images
    record   `labels.record` of one answer, which is on the disk then
    count    `rounds.count`, which every acknowledgement tells
    status   `alworkbench status` without its start: every figure of the project

No pictures and no features are needed. `server` takes a PostgreSQL server on loopback that syncs to the disk.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from rich.console import Console
from rich.table import Table

from alworkbench.api import open_project
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    Item,
    LabelClass,
    NewItem,
    NewRound,
    ProjectSettings,
    Role,
)
from alworkbench.core.ports import Store
from alworkbench.project.workbench import Workbench
from store import create_store
from store.repositories.common import in_chunks
from tests.store.server import PostgresServer

PEOPLE = ("Ada", "Bo", "Cleo", "Dan")
HELD = 24
ITEMS = 500
OPENINGS, STATUS = 40, 5


def make_project(folder: Path, images: int, url: str | None) -> None:
    """Images, an earlier round with answers, and an open round."""
    now = datetime.now(UTC)
    classes = ClassList(tuple(LabelClass(f"class {n}") for n in range(10)))
    store = create_store(folder, ProjectSettings("growth"), classes, now, server=url)
    names = (hashlib.sha256(b"%d" % n).hexdigest() for n in range(images))
    found = (FoundImage(name, f"{name[:2]}/{name}.png", 1000, 64, 64) for name in names)
    with store.write() as writer:
        writer.images.add(found, (), root=str(folder), role=Role.POOL)
    earlier = open_round(store, range(1, images // 10 + 1))
    with store.read() as reader:
        asked = reader.rounds.items(earlier)
    for some in in_chunks(enumerate(asked)):
        with store.write() as writer:
            writer.labels.add_many([answer(PEOPLE[n % 4], item) for n, item in some], now)
    with store.write() as writer:
        writer.rounds.close(earlier, now)
    open_round(store, range(images // 10 + 1, images // 10 + ITEMS + 1))
    store.close()


def open_round(store: Store, images: range) -> int:
    asked = [NewItem(image, None, None) for image in images]
    new = NewRound("random", 1, 1, None, None, 0.0, asked, {})
    with store.write() as writer:
        return int(writer.rounds.open(new, datetime.now(UTC)).id or 0)


def answer(person: str, item: Item) -> Answer:
    token = item.lease.token if item.lease else None
    return Answer(
        uuid4().hex, item.image_id, AnswerKind.CLASS, person, class_id=1, item_id=item.id,
        lease_token=token, duration_ms=1500,
    )  # fmt: skip


class Watch:
    """Milliseconds of what was measured, by name."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spent.setdefault(what, []).append(1000 * (time.perf_counter() - started))


def measured(folder: Path) -> Watch:
    watch = Watch()
    for _ in range(OPENINGS + 1):
        with ExitStack() as opened:
            with watch.on("open"):
                workbench = opened.enter_context(open_project(folder))
                held = look(workbench)
            workbench.labels.release("guest", "t" * 20, [item.id for item in held])
    del watch.spent["open"][0]  # loads modules
    with open_project(folder) as workbench:
        held = {who: workbench.labels.claim(who, HELD, who * 8) for who in PEOPLE}
        for turn in range(ITEMS - len(PEOPLE) * HELD):
            who = PEOPLE[turn % len(PEOPLE)]
            given = answer(who, held[who][0])
            with watch.on("record"):
                workbench.labels.record(given)
            with watch.on("count"):
                workbench.rounds.count(2)
            with watch.on("lease"):
                held[who] = workbench.labels.claim(who, HELD, who * 8)
        for _ in range(STATUS):
            with watch.on("status"):
                workbench.status()
    return watch


def look(workbench: Workbench) -> list[Item]:
    """What the labelling page asks first."""
    current = workbench.rounds.current()
    assert current is not None
    workbench.rounds.count(current.id)
    return workbench.labels.claim("guest", HELD, "t" * 20)


def main() -> None:
    kind, *words = sys.argv[1:] or ["file"]
    sizes = [int(word) for word in words] or [1_000, 10_000, 100_000, 1_000_000]
    table = Table(title=f"{kind}, ms: median / 99th percentile", title_justify="left", box=None)
    table.add_column("images", justify="right")
    for what in ("open", "record", "count", "lease", "status"):
        table.add_column(what, justify="right")
    for images in sizes:
        server = PostgresServer(fsync="on") if kind == "server" else None
        url = server.url.render_as_string(hide_password=False) if server else None
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "project"
            make_project(folder, images, url)
            spent = measured(folder).spent
        if server:
            server.remove()
        cells = [
            "{:.1f} / {:.1f}".format(*np.percentile(spent[column.header], (50, 99)))
            for column in table.columns[1:]
        ]
        table.add_row(f"{images:,}", *cells)
        print(images, cells, flush=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
