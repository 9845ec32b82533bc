"""Memory of the server over 5,000 labels from 8 people: `python -m tests.bench server_memory [ANSWERS]`.

`alworkbench serve` in a process of its own, over 2,000 images of the bundled sample of which each wants
three answers. Eight people ask for images, fetch each picture, and answer, as the labelling page does, but
without a browser: each over one connection, as fast as the server replies. After each tenth of the answers
the memory of the server is read: the proportional set size of its process, in MB.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from alworkbench.api import open_project
from tests.bench.desks import PEOPLE
from tests.browser.conftest import free_port
from tests.browser.real_project import make_project
from tests.browser.serving import serving
from tests.browser.team import add_people
from ui.state import UiState

IMAGES, WANTED = 2000, 3


class Labeller:
    """A person who answers as fast as the server replies."""

    def __init__(self, port: int, routes: str, cookie: dict[str, str], classes: list[int]) -> None:
        self._routes, self._classes, self._tab = routes, classes, uuid4().hex
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {
            "Cookie": f"{cookie['name']}={cookie['value']}",
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/json",
        }
        self.stored = 0

    def work(self, done: threading.Event) -> None:
        """Until the round asks nothing more of this person, or the event."""
        while not done.is_set():
            items = self._post("/queue", {"tab": self._tab, "side": 1024})["items"]
            if not items:
                return
            for item in items:
                self._picture(item["image_url"])
                answer = {
                    "event_id": str(uuid4()),
                    "item_id": item["item_id"],
                    "lease_token": item["lease_token"],
                    "kind": "class",
                    "class_id": self._classes[item["item_id"] % len(self._classes)],
                    "duration_ms": 1000,
                    "suggested_class_id": None,
                }
                assert self._post("/answer", answer)["stored"]
                self.stored += 1

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", self._routes + path, json.dumps(body), self._headers)
        reply = self._connection.getresponse()
        text = reply.read()
        assert reply.status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _picture(self, address: str) -> None:
        self._connection.request("GET", f"{address}&side=1024", headers=self._headers)
        reply = self._connection.getresponse()
        assert reply.read(), reply.status
        assert reply.status == 200


def memory_of(process: int) -> float:
    """The proportional set size of a process, MB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise LookupError(process)


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    table = Table("answers", "MB", "seconds", box=None)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "project"
        make_project(folder, 10, IMAGES)
        with open_project(folder) as workbench:
            workbench.rounds.close(force=True)
            with workbench.session.store.write() as writer:
                settings = replace(writer.settings(), overlap=WANTED, overlap_share=1.0)
                writer.save_settings(replace(settings, prepare_at=None))
            workbench.rounds.propose("random", IMAGES - 10)
            cookies = add_people(folder, *PEOPLE)
            routes = UiState(workbench).routes
            classes = [each.id or 0 for each in workbench.classes.current().classes]
        port, done = free_port(), threading.Event()
        with serving(folder, port) as served:
            began = time.monotonic()
            people = [Labeller(port, routes, cookies[name], classes) for name in PEOPLE]
            threads = [threading.Thread(target=each.work, args=(done,)) for each in people]
            for thread in threads:
                thread.start()
            due = 0
            while any(thread.is_alive() for thread in threads):
                stored = sum(each.stored for each in people)
                if stored >= due:
                    memory = memory_of(served.process.pid)
                    table.add_row(f"{stored:,}", f"{memory:.0f}", f"{time.monotonic() - began:.0f}")
                    due += max(1, wanted // 10)
                if stored >= wanted:
                    done.set()
                time.sleep(0.05)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
