"""The card of an image in a large project: how long its parts take.

`python -m tests.bench.cards [IMAGES ...]` (100,000). The project of `large_pool`: made-up features (P = 768,
D = 512, 100 classes in clusters), a posterior from the pool, a learner of 200 labels. Milliseconds of each
part, the first time in a process and the median and the most of 15 other images after it.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.large_pool import CLASSES, LABELS, make_project

IMAGES = 15


def main() -> None:
    table = Table(title=f"Milliseconds of a card: {CLASSES} classes, {LABELS} labels")
    for name in ("images", "part", "first", "median", "most"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for images in [int(each) for each in sys.argv[1:]] or [100_000]:
        with tempfile.TemporaryDirectory() as folder:
            workbench = make_project(Path(folder), images)
            workbench.rounds.close()
            step = images // (IMAGES + 1)
            wanted = [hashlib.sha256(b"%d" % (k * step)).hexdigest() for k in range(IMAGES + 1)]
            for part in ("of", "model", "nearest"):
                took = []
                for content in wanted:
                    began = time.perf_counter()
                    getattr(workbench.cards, part)(content, "ada")
                    took.append(1000 * (time.perf_counter() - began))
                first, *others = took
                figures = (first, statistics.median(others), max(others))
                table.add_row(f"{images:,}", part, *(f"{each:.0f}" for each in figures))
            workbench.close()
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
