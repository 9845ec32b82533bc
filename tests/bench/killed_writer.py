"""Nothing that was acknowledged is lost: a writer killed at random moments while four people label.

`python -m tests.bench.killed_writer [KILLS] [ANSWERS] [file | server]` (200, 20,000 and file). Four people
label one round of a project on disk. A process records their answers, as the server does (`labels.claim`,
`labels.record`), and is killed with SIGKILL at random moments; another takes its place. Each person keeps an
answer until it is acknowledged, and sends it again with the same event id to the next process. One answer in
a hundred names a class, so that learning stays short; the others are skips. At the end the round is closed.

With `server` the records lie on a PostgreSQL server on loopback, which syncs to the disk. One kill in
`SERVER_SHARE` then ends all of its processes with SIGKILL; it is started again, and the writer lives on.

Counted at the end: acknowledged answers that are missing or differ, events and items that occur twice.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tests.store.server import PostgresServer

PEOPLE = ("Ada", "Bo", "Cleo", "Dan")
HELD = 24
"""Images that a person holds at once, as the labelling page does."""
LONGEST_LIFE = 2.0
"""Seconds after its first answer until a writer is killed, at most."""
SERVER_SHARE = 4
"""With a server, one in so many kills is its own."""


def make_project(folder: Path, images: int, url: str | None) -> None:
    """A round that asks about every image."""
    from alworkbench.core.domain import (
        ClassList,
        FoundImage,
        LabelClass,
        ProjectFolder,
        ProjectSettings,
        Role,
    )  # fmt: skip
    from alworkbench.features.feature_file_io import write_feature_file
    from alworkbench.project.workbench import Workbench
    from store import create_store
    from tests.bench.large_pool import made_features

    file, _ = made_features(images)
    classes = ClassList(tuple(LabelClass(name) for name in file.class_names))
    settings = ProjectSettings("killed", "features:made", strategy="random", batch_size=images)
    store = create_store(folder / "project", settings, classes, datetime.now(UTC), server=url)
    with store.write() as writer:
        found = (FoundImage(name, f"{name}.png", 1000, 64, 64) for name in file.hashes)
        writer.images.add(found, (), root=str(folder), role=Role.POOL)
    write_feature_file(folder / "features.npz", file)
    with Workbench(ProjectFolder(folder / "project"), store) as workbench:
        workbench.session.has_files = False  # no picture lies behind the made features
        workbench.features.take(folder / "features.npz")
        workbench.posteriors.fit_from_pool()
        workbench.rounds.propose()


def write(folder: str, address: str) -> None:
    """The writer: one thread for each connection, one JSON object on each line."""
    import socketserver

    from alworkbench.api import open_project
    from alworkbench.core.domain import Answer, AnswerKind
    from alworkbench.core.errors import ServerUnavailable

    workbench = open_project(Path(folder) / "project")

    class Person(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ServerUnavailable):  # the person tries again
                for line in self.rfile:
                    told = self.told(json.loads(line))
                    self.wfile.write(json.dumps(told).encode() + b"\n")

        def told(self, asked: dict[str, Any]) -> list[object]:
            if "claim" in asked:
                items = workbench.labels.claim(asked["claim"], HELD, asked["tab"])
                return [
                    (item.id, item.image_id, item.lease.token if item.lease else None)
                    for item in items
                ]
            kind = AnswerKind(asked.pop("kind"))
            return [workbench.labels.record(Answer(kind=kind, **asked)).event_id]

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    Server(address, Person).serve_forever()


class Labeller(threading.Thread):
    """A person at a page: claims, answers, and sends again what was not acknowledged."""

    def __init__(
        self, person: str, address: str, classes: list[int], wanted: int, done: Counter[str]
    ) -> None:
        """`done` counts the acknowledged answers of all people by name; all stop at `wanted`."""
        super().__init__(name=person, daemon=True)
        self._address, self._classes, self._wanted, self._done = address, classes, wanted, done
        self.acknowledged: list[dict[str, object]] = []
        self.sent_again = 0

    def run(self) -> None:
        draw, waiting, tab = random.Random(self.name), [], uuid4().hex
        while self._done.total() < self._wanted:
            try:
                with socket.socket(socket.AF_UNIX) as line:
                    line.connect(self._address)
                    stream = line.makefile("rw", encoding="utf-8")
                    self.sent_again += bool(waiting)
                    while self._done.total() < self._wanted:
                        if not waiting:
                            items = ask(stream, {"claim": self.name, "tab": tab})
                            if not items:
                                return
                            waiting = [self.answer(draw, *item) for item in items]
                        ask(stream, waiting[0])
                        self.acknowledged.append(waiting.pop(0))
                        self._done[self.name] += 1
            except (OSError, ValueError):  # the writer died; half a line is no JSON
                time.sleep(0.02)

    def answer(self, draw: random.Random, item: int, image: int, token: str) -> dict[str, object]:
        names = draw.random() < 0.01
        return {
            "event_id": uuid4().hex, "item_id": item, "image_id": image, "lease_token": token,
            "annotator": self.name, "kind": "class" if names else "skip",
            "class_id": draw.choice(self._classes) if names else None,
        }  # fmt: skip


def ask(stream: object, question: dict[str, object]) -> list:
    """What the writer answers. Raises OSError or ValueError where it died before."""
    stream.write(json.dumps(question) + "\n")  # type: ignore[attr-defined]
    stream.flush()  # type: ignore[attr-defined]
    return json.loads(stream.readline())  # type: ignore[attr-defined]


def kill_at_random(
    folder: Path, address: str, kills: int, people: list[Labeller], server: PostgresServer | None
) -> tuple[int, int]:
    """Start writers and kill them until the people are done; how many writers and servers were killed."""
    draw, writers, servers = random.Random(0), 0, 0
    context = multiprocessing.get_context("forkserver")  # a writer starts with its modules loaded
    context.set_forkserver_preload(
        ["alworkbench.api", "alworkbench.project.labels", "store.server"]
    )
    while working(people):
        Path(address).unlink(missing_ok=True)
        writer = context.Process(target=write, args=(str(folder), address))
        writer.start()
        while True:
            before = acknowledged(people)
            while acknowledged(people) == before and working(people):
                time.sleep(0.005)
            if writers + servers == kills:
                for person in people:
                    person.join()
            else:
                time.sleep(draw.uniform(0, LONGEST_LIFE))
            if not working(people) or server is None or draw.randrange(SERVER_SHARE):
                break
            server.kill()
            server.start()
            servers += 1
        writers += working(people)
        writer.kill()
        writer.join()
    return writers, servers


def working(people: list[Labeller]) -> bool:
    return any(person.is_alive() for person in people)


def acknowledged(people: list[Labeller]) -> int:
    return sum(len(person.acknowledged) for person in people)


def main() -> None:
    from alworkbench.api import open_project
    from tests.store.server import PostgresServer

    words = [*sys.argv[1:], *("200", "20000", "file")[len(sys.argv) - 1 :]]
    kills, wanted = int(words[0]), int(words[1])
    server = PostgresServer(fsync="on") if words[2] == "server" else None
    url = server.url.render_as_string(hide_password=False) if server else None
    with tempfile.TemporaryDirectory() as scratch:
        folder, address = Path(scratch), f"{scratch}/writer"
        maker = multiprocessing.get_context("spawn").Process(
            target=make_project, args=(folder, wanted + len(PEOPLE) * HELD, url)
        )
        maker.start()
        maker.join()
        with open_project(folder / "project") as workbench:
            classes = [int(c.id or 0) for c in workbench.classes.current().classes]
        done: Counter[str] = Counter()
        people = [Labeller(name, address, classes, wanted, done) for name in PEOPLE]
        started = time.perf_counter()
        for person in people:
            person.start()
        writers, servers = kill_at_random(folder, address, kills, people, server)
        seconds = time.perf_counter() - started
        with open_project(folder / "project") as workbench:
            workbench.session.has_files = False
            with workbench.session.store.read() as reader:
                stored = reader.labels.all()
                faults = reader.faults()
            by_event = {label.event_id: label for label in stored}
            given = [answer for person in people for answer in person.acknowledged]
            lost = sum(answer["event_id"] not in by_event for answer in given)
            differ = sum(
                (label.image_id, label.kind.value, label.class_id, label.annotator)
                != (answer["image_id"], answer["kind"], answer["class_id"], answer["annotator"])
                for answer in given
                if (label := by_event.get(str(answer["event_id"]))) is not None
            )
            twice = sum(n > 1 for n in Counter(label.item_id for label in stored).values())
            workbench.rounds.close()
            closed = workbench.rounds.current() is None
    table = Table(box=None, title=f"{len(PEOPLE)} people, {seconds:.0f} s", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, count in (
        ("writers killed", writers),
        ("servers killed", servers),
        ("acknowledged answers", len(given)),
        ("sent again after a kill", sum(person.sent_again for person in people)),
        ("stored without an acknowledgement", len(stored) - len(given)),
        ("acknowledged and lost", lost),
        ("acknowledged and changed", differ),
        ("items answered twice", twice),
        ("faults of the database", len(faults)),
    ):
        table.add_row(what, f"{count:,}")
    table.add_row("the round closes", "yes" if closed else "no")
    Console().print(table)


if __name__ == "__main__":
    main()
