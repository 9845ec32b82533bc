"""How long a person waits for the next picture and for the durable answer, with 1, 4 and 8 real browsers.

`python -m tests.bench.desks [SECONDS]` (40 for each line of the table). People sit at headless Chromium, each
in a context of their own, signed in to one server with one project on disk. Each presses a class key about
every second, as the browser's own input. In the last line the worker process of the server prepares the next
round, takes over to it, and learns from the first one meanwhile; it lasts until that is done.

Of each press, in the page of the person: milliseconds until the next picture is painted, until the answer is
acknowledged as durable, and what of it the server's route took (its header `Server-Timing`).

The bench fails if an item is asked twice, a press is not stored once, or under another image or class than
that on screen and on the key, or if server or browsers talk to anything but loopback.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from alworkbench.api import open_project
from alworkbench.core.domain import Late
from alworkbench.project.workbench import Workbench
from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES, free_port
from tests.browser.desk import Desk
from tests.browser.real_project import make_project
from tests.browser.serving import Served, serving
from tests.browser.team import HASH, PAGE_SECONDS, add_people, join

PEOPLE = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gwen", "Hugo")
EVERY = 1.0
"""Seconds between two presses of a person."""
POOL, BATCH = 1500, 900
HAND_OVER_SECONDS = 240.0
KEYS = "12345"

WATCH = """
window.presses = [];
let root = null;
const desk = () => {
  if (root !== null && root.isConnected) return root;
  for (const node of document.querySelectorAll("*")) {
    const found = node.shadowRoot && node.shadowRoot.querySelector("[data-labeller]");
    if (found) root = found;
  }
  return root;
};
const afterPaint = new MessageChannel();
let unpainted = null;
afterPaint.port1.onmessage = () => {
  if (unpainted !== null) unpainted.painted = performance.now();
  unpainted = null;
};
window.addEventListener("keydown", (event) => {
  const at = event.timeStamp; // when the browser got the key
  const here = desk();
  const armed = here !== null && here.dataset.armed === "true";
  if (!armed || !"12345".includes(event.key)) return;
  const press = {
    at, key: event.key, item: Number(here.dataset.item), src: here.querySelector(".frame img").src,
    wall: Date.now(), painted: null, acked: null, server: null, late: null,
  };
  window.presses.push(press);
  unpainted = press;
  // The desk arms the next picture in the frame that paints it; a message is handled after that frame.
  const look = new MutationObserver(() => {
    if (here.dataset.armed !== "true" || Number(here.dataset.item) === press.item) return;
    look.disconnect();
    if (unpainted === press) afterPaint.port2.postMessage(0);
  });
  look.observe(here, { attributes: true, attributeFilter: ["data-armed", "data-item"] });
}, true);
const plain = window.fetch;
window.fetch = async (url, options) => {
  const response = await plain(url, options);
  if (!String(url).endsWith("/answer")) return response;
  const item = JSON.parse(options.body).item_id;
  const json = response.json.bind(response);
  response.json = async () => {
    const reply = await json();
    const press = window.presses.findLast((each) => each.item === item);
    if (press && reply.stored) {
      press.acked = performance.now();
      press.late = reply.late;
      press.server = Number((response.headers.get("Server-Timing") ?? "").split("dur=")[1]);
    }
    return reply;
  };
  return response;
};
"""


@dataclass
class Sitting:
    """People at their browsers, and what they pressed."""

    url: str
    served: Served
    desks: dict[str, Desk]
    presses: dict[str, list[dict[str, Any]]]

    def work(self, names: tuple[str, ...], seconds: float, done: Callable[[], bool]) -> None:
        """Each presses a key every second until `done()` or `seconds` have passed."""
        began = time.monotonic()
        due = {name: began + n * EVERY / len(names) for n, name in enumerate(names)}
        look = began
        while time.monotonic() < began + seconds:
            name = min(due, key=lambda each: due[each])
            time.sleep(max(0.0, due[name] - time.monotonic()))
            page = self.desks[name].page
            page.keyboard.press(KEYS[int(time.monotonic() * 7) % len(KEYS)])
            due[name] = max(due[name] + EVERY, time.monotonic() + EVERY / 2)
            if time.monotonic() >= look:
                look = time.monotonic() + 1
                if done():
                    break
        for name in names:
            page, end = self.desks[name].page, time.monotonic() + PAGE_SECONDS
            while waiting := page.evaluate("window.presses.filter((each) => each.acked === null)"):
                notice = self.desks[name].root.locator(".notice").text_content()
                assert time.monotonic() < end, f"{name} waits: {waiting}, {notice!r}"
                time.sleep(0.5)
            self.presses[name] += page.evaluate("window.presses.splice(0)")

    def check_connections(self) -> None:
        for local, remote in self.served.connections():
            assert ipaddress.ip_address(local).is_loopback, (local, remote)
            other = ipaddress.ip_address(remote)
            assert other.is_unspecified or other.is_loopback, (local, remote)
        for desk in self.desks.values():
            assert (desk.errors, desk.outside) == ([], []), (desk.errors, desk.outside)


class HandOver:
    """Lets the server prepare the next round, takes over to it, and waits until it has learned."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self.words: list[str] = []
        self._began = time.monotonic()
        with workbench.session.store.write() as writer:
            writer.save_settings(replace(writer.settings(), prepare_at=0.01))

    def __call__(self) -> bool:
        prepared, current = self._workbench.prepared, self._workbench.rounds.current()
        assert current is not None
        if current.number == 1:
            failed = prepared.failed()
            assert failed is None, failed
            if prepared.kept() is not None:
                prepared.go_on(force=True)
                self._note("prepared and handed over")
            return False
        if prepared.unlearned() is not None:
            return False
        self._note("learned")
        return True

    def _note(self, what: str) -> None:
        self.words.append(f"{what} after {time.monotonic() - self._began:.0f} s")


def check(workbench: Workbench, presses: dict[str, list[dict[str, Any]]]) -> str:
    """Every press is stored once, as it was made; no item is asked twice. Returns what was counted."""
    pressed = {(who, each["item"]): each for who, some in presses.items() for each in some}
    assert len(pressed) == sum(map(len, presses.values())), "a person was asked an item twice"
    classes = workbench.classes.current()
    with workbench.session.store.read() as reader:
        stored = [each for each in reader.labels.all() if each.annotator in PEOPLE]
        hashes = {each.image_id: reader.images.get(each.image_id).hash for each in stored}
    assert Counter((each.annotator, each.item_id) for each in stored) == Counter(pressed.keys())
    for label in stored:
        press = pressed[label.annotator, label.item_id]
        found = HASH.search(press["src"])
        assert found is not None
        assert found[1] == hashes[label.image_id], "another image was on screen"
        assert label.class_id == classes.classes[KEYS.index(press["key"])].id
    asked = Counter(each.item_id for each in stored if each.late is None)
    assert max(asked.values()) == 1, "an item has two answers that count"
    late = Counter(each.late for each in stored if each.late is not None)
    assert set(late) <= {Late.CLOSED}, late
    return (
        f"{len(stored):,} presses, all stored once; {late[Late.CLOSED]} came after the hand-over and are "
        f"second opinions; images asked twice: 0; answers to another image than that on screen: 0"
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 40.0
    browser_path = next(path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    table = Table(title="Milliseconds: median / 95th / 99th percentile", box=None)
    for heading in (
        "people",
        "presses",
        "next picture",
        "durable answer",
        "of it the route",
        "load",
    ):
        table.add_column(heading, justify="left" if heading == "people" else "right")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "project"
        make_project(folder, BATCH, POOL)
        cookies = add_people(folder, *PEOPLE)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        served = stack.enter_context(serving(folder, port))
        playwright = stack.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(
            executable_path=browser_path, args=list(CHROMIUM_FLAGS)
        )
        stack.callback(chromium.close)
        sitting = Sitting(url, served, {}, {name: [] for name in PEOPLE})
        workbench = stack.enter_context(open_project(folder))
        for people in (1, 4, 8):
            names = PEOPLE[:people]
            _come(sitting, chromium, cookies, names)
            _measure(sitting, table, names, str(people), seconds, lambda: False)
        over = HandOver(workbench)
        words = "8, while rounds change"
        _measure(sitting, table, PEOPLE, words, HAND_OVER_SECONDS, over)
        counted = check(workbench, sitting.presses)
        for desk in sitting.desks.values():
            desk.close()
    console = Console(width=120)
    console.print(table)
    console.print(f"{counted}. The next round was {', '.join(over.words)}. {os.cpu_count()} cores.")


def _come(
    sitting: Sitting, chromium: Browser, cookies: dict[str, Any], names: tuple[str, ...]
) -> None:
    for name in names:
        if name not in sitting.desks:
            desk = join(chromium, sitting.url, cookies[name], script=WATCH)
            sitting.desks[name] = desk
        sitting.desks[name].ready()


def _measure(
    sitting: Sitting,
    table: Table,
    names: tuple[str, ...],
    words: str,
    seconds: float,
    done: Callable[[], bool],
) -> None:
    before = {name: len(sitting.presses[name]) for name in names}
    sitting.work(names, seconds, done)
    sitting.check_connections()
    fresh = [each for name in names for each in sitting.presses[name][before[name] :]]
    columns = (
        [each["painted"] - each["at"] for each in fresh if each["painted"] is not None],
        [each["acked"] - each["at"] for each in fresh],
        [each["server"] for each in fresh],
    )
    shown = (" / ".join(f"{v:.0f}" for v in np.percentile(c, (50, 95, 99))) for c in columns)
    table.add_row(words, str(len(fresh)), *shown, f"{os.getloadavg()[0]:.1f}")
    print(f"{words}: {len(fresh)} presses", file=sys.stderr)


if __name__ == "__main__":
    main()
