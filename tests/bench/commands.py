"""What the commands of a day cost on a pool of files: seconds, seconds of CPU and peak memory.

`python -m tests.bench.commands [IMAGES ...]` (10,000 and 100,000). The pool is real files: pictures of 48 x
48 pixels as PNG, with made-up features beside them (P = 768, D = 512, 100 classes in clusters), as a features
file brings them. Each command is a process of its own, started as a person starts it. Peak memory is that of
all of its processes together, sampled ten times a second: memory that processes share counts once.
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

LABELS, CLASSES = 200, 100
START = "import sys; from alworkbench.cli.main import main; sys.argv[0] = 'alworkbench'; main()"


def make_pool(folder: Path, images: int) -> None:
    """Picture files, their features file, the list of classes and the class of each picture."""
    import numpy as np
    from PIL import Image

    from alworkbench.features.feature_file_io import write_feature_file
    from tests.bench.large_pool import made_features

    pictures = folder / "pictures"
    file, labels = made_features(images)
    hashes = []
    rng = np.random.default_rng(0)
    for number in range(images):
        place = pictures / f"{number // 1000:04d}" / f"{number:07d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(
            place, compress_level=0
        )
        hashes.append(hashlib.sha256(place.read_bytes()).hexdigest())
    write_feature_file(folder / "features.npz", replace(file, hashes=tuple(hashes)))
    (folder / "classes.txt").write_text("\n".join(file.class_names), encoding="utf-8")
    named = zip(hashes, labels.tolist(), strict=True)
    (folder / "truth.csv").write_text(
        "".join(f"{content},{file.class_names[label]}\n" for content, label in named),
        encoding="utf-8",
    )


def measured(words: tuple[str, ...], folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak MiB of one command and the processes that it starts."""
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        env=os.environ | {"ALWORKBENCH_PROJECT": str(folder / "project")},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    after = os.times()
    if process.returncode:
        told = process.stderr.read() if process.stderr else ""
        sys.exit(f"{words} ended with {process.returncode}: {told}")
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system, peak / 2**20


def memory(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for each in (parent, *parent.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.Error:
        return 0  # it ended meanwhile
    return total


def fill_in(folder: Path) -> None:
    """Answer the round in its file, as a person would."""
    truth = dict(csv.reader((folder / "truth.csv").open(encoding="utf-8", newline="")))
    with (folder / "round.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "answers.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "hash", "label"))
        writer.writerows((row["image"], row["hash"], truth[row["hash"]]) for row in rows)


def day(folder: Path, images: int) -> dict[str, tuple[float, float, float]]:
    """Every command of a day, in its order."""
    found = {}

    def run(name: str, *words: str) -> None:
        found[name] = measured(words, folder)

    run("init", "init", "project", "--classes", "classes.txt", "--batch", str(LABELS))
    run("import", "import", "pictures")
    run("encode --features", "encode", "--features", "features.npz")
    run("fit --from-pool", "fit", "--from-pool", "--device", "cpu")
    run("status", "status")
    run("propose, first round", "propose", "--device", "cpu")
    run("round --csv", "round", "--csv", "round.csv")
    fill_in(folder)
    run(f"label, {LABELS} rows", "label", "answers.csv", "--annotator", "ada")
    run("close", "close", "--device", "cpu")
    run("propose, second round", "propose", "--device", "cpu")
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as stream:
        image = next(csv.DictReader(stream))["hash"]
    run("explain", "explain", image, "--device", "cpu")
    run("predict --top 3", "predict", "predictions.parquet", "--top", "3", "--device", "cpu")
    run("export --history", "export", "labels.csv", "--history")
    run("doctor", "doctor")
    return found


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 100_000]
    table = Table(box=None, title=f"{CLASSES} classes, {LABELS} labels", title_justify="left")
    table.add_column("command")
    for size in sizes:
        for what in (f"{size:,}: seconds", "of CPU", "peak, MiB"):
            table.add_column(what, justify="right")
    cells: dict[str, list[str]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            maker = multiprocessing.get_context("spawn").Process(
                target=make_pool, args=(Path(scratch), size)
            )
            maker.start()
            maker.join()
            for name, (seconds, cpu, peak) in day(Path(scratch), size).items():
                cells.setdefault(name, []).extend((f"{seconds:.1f}", f"{cpu:.1f}", f"{peak:,.0f}"))
    for name, figures in cells.items():
        table.add_row(name, *figures)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
