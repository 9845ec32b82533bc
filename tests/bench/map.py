"""The map of 100,000 images: seconds of both layouts, its bytes, and how evenly Chromium draws it.

Activations (P = 768, fp16 shards on disk), D = 512, ten groups, made here from a seed. Chromium runs without
a graphics card: it pans the whole map for 300 frames at 1440 x 900.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from alworkbench.encoders.head import Features, Head
from alworkbench.features.entry import Entry
from alworkbench.features.principal_axes import PrincipalAxes
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.project.image_similarity import unit_embeddings
from alworkbench.project.map_regions import STEPS, on_grid
from alworkbench.project.umap_layout import SAMPLE, umap_layout
from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES

IMAGES, P, D, GROUPS = 100_000, 768, 512, 10
SHARD = 65_536
FRAMES = 300
WEB = Path(__file__).parents[2] / "ui/web"


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_table(folder: Path) -> FeatureTable:
    store, centres = FeatureStore(folder), 2 * normal(5, GROUPS, P)
    with store.writer() as writer:
        for start in range(0, IMAGES, SHARD):
            count = min(SHARD, IMAGES - start)
            names = [hashlib.sha256(b"%d" % k).hexdigest() for k in range(start, start + count)]
            of = torch.arange(start, start + count) % GROUPS
            features = Features((normal(start, count, P) + centres[of]).half())
            writer.add([Entry(name, f"{name}.jpg") for name in names], features)
    return store.open_table()


def embeddings(
    table: FeatureTable, rows: torch.Tensor | None = None, _step: str = ""
) -> Iterator[np.ndarray]:
    head = Head(normal(1, D, P) / P**0.5, normal(2, D, D) / D**0.5, 100.0)
    for block in unit_embeddings(table, head, rows):
        yield block.numpy()


def places(table: FeatureTable) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    axes = PrincipalAxes.of(embeddings(table), 2)
    xy = np.concatenate([axes.project(block) for block in embeddings(table)])
    return xy, time.perf_counter() - began


def umap_seconds(table: FeatureTable) -> float:
    """Of a first layout of so many images as a layout is fitted to, the compiler's time included."""
    some = torch.arange(SAMPLE)
    began = time.perf_counter()
    umap_layout(
        lambda rows, step: embeddings(table, some if rows is None else some[rows], step), SAMPLE, 0
    )
    return time.perf_counter() - began


def packed(xy: np.ndarray) -> bytes:
    """As `MapPoints.packed`, with a class and a round for each image."""
    x, y = on_grid(xy).T
    of = np.arange(IMAGES)
    columns = {
        "image": (of + 1).astype("<u4"),
        "x": x.astype("<u2"),
        "y": y.astype("<u2"),
        "label": (3 + of % GROUPS).astype("<u2"),
        "predicted": (3 + of % GROUPS).astype("<u2"),
        "uncertainty": (of % STEPS).astype("<u2"),
        "round": np.zeros(IMAGES, "<u4"),
    }
    named, parts, at = [], [], 0
    for name, column in columns.items():
        named.append({"name": name, "type": column.dtype.name, "at": at, "length": IMAGES})
        parts.append(column.tobytes() + bytes(-column.nbytes % 8))
        at += len(parts[-1])
    classes = [
        {"id": k, "name": f"class {k}", "colour": None, "in_use": True} for k in range(GROUPS)
    ]
    head = {
        "layout": "pca", "mark": "1.1", "images": IMAGES, "fitted": IMAGES, "shares": [0.1, 0.1],
        "newer": 0, "steps": STEPS, "most_entropy": 2.3, "predictions_of": 0, "classes": classes,
        "columns": named,
    }  # fmt: skip
    text = json.dumps(head).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return len(text).to_bytes(4, "little") + text + b"".join(parts)


PAGE = """<!doctype html><body style="margin:0"><div class="alw" data-component="map"></div>
<script type="module">
import { mount } from "/map/map.js";
const root = document.querySelector(".alw");
const classes = Array.from({ length: 10 }, (_, k) => ({ id: k, name: `class ${k}`, colour: null }));
window.map = mount(root, { base: "/alw", gallery: "/g", project: "p", version: "v", classes });
</script>"""

PAN = """async (frames) => {
  const map = window.map, intervals = [], work = [];
  const draw = map.draw.bind(map);
  map.draw = () => { const began = performance.now(); draw(); work.push(performance.now() - began); };
  map.view.zoomBy(1.3);
  let before = null;
  for (let k = 0; k < frames; k += 1) {
    map.view.pan(3 * Math.cos(k / 20), 3 * Math.sin(k / 20));
    map.redraw();
    const now = await new Promise((resolve) => requestAnimationFrame(resolve));
    if (before !== null) intervals.push(now - before);
    before = now;
  }
  return { intervals, work };
}"""


def frames(data: bytes) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            given = {"/": PAGE.encode(), "/alw/map?layout=pca": data, "/alw/map/state": b"{}"}
            if self.path not in given:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/" else "x/y")
            self.end_headers()
            self.wfile.write(given[self.path])

    handler = functools.partial(Handler, directory=str(WEB))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = next(path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.add_style_tag(path=str(WEB / "shared/look.css"))
        page.add_style_tag(path=str(WEB / "map/map.css"))
        page.locator("[data-points]").wait_for(timeout=60_000)
        page.wait_for_timeout(500)
        result: dict[str, list[float]] = page.evaluate(PAN, FRAMES)
        browser.close()
    server.shutdown()
    return result


def main() -> None:
    title = f"{IMAGES:,} images, P = {P}, D = {D}, {torch.get_num_threads()} threads"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("what", "median", "95 %", "unit"):
        table.add_column(heading, justify="left" if heading in ("what", "unit") else "right")
    with tempfile.TemporaryDirectory() as scratch:
        features = make_table(Path(scratch))
        xy, seconds = places(features)
        table.add_row("principal axes and places", f"{seconds:.1f}", "", "s")
        neighbours = f"{umap_seconds(features):.0f}" if find_spec("umap") else "not installed"
        table.add_row(f"UMAP of {SAMPLE:,} images", neighbours, "", "s")
    data = packed(xy)
    table.add_row("points as bytes", f"{len(data) / 2**20:.2f}", "", "MiB")
    for name, values in frames(data).items():
        middle, high = np.percentile(values, [50, 95])
        words = {"intervals": "between two frames while panning", "work": "drawing a frame"}[name]
        table.add_row(words, f"{middle:.1f}", f"{high:.1f}", "ms")
    Console().print(table)


if __name__ == "__main__":
    main()
