"""A folder of pictures through `import` and `encode`: counts, seconds, and peak memory of all processes.

python -m tests.bench.pictures FOLDER

Made for folders of hostile files, such as the tests of Pillow (`Tests/images` of its source distribution).
The folder is read twice: as it is, and as links with names that end in .png, so that every file meets the
decoders, whatever its own name is. The memory is the proportional set size, which counts a page that two
processes share once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

START = "import sys; from alworkbench.cli.main import main; sys.argv[0] = 'alworkbench'; main()"
PAUSE = 0.02
"""Seconds between two looks at the memory."""


def memory_of(process: psutil.Process) -> int:
    """Bytes of this process and of all that it started."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return total


def run(words: list[str], project: Path, folder: Path) -> dict[str, Any]:
    """Run one command; return its exit status, its JSON, seconds, seconds of CPU and peak memory in MB."""
    output, complaints = folder / "stdout", folder / "stderr"
    started, before = time.perf_counter(), os.times()
    with output.open("wb") as out, complaints.open("wb") as err:
        process = psutil.Popen(
            [sys.executable, "-c", START, *words, "--project", str(project), "--json"],
            stdout=out,
            stderr=err,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )
        peak = 0
        while process.poll() is None:
            try:
                peak = max(peak, memory_of(process))
            except psutil.Error:
                break
            time.sleep(PAUSE)
        status = process.wait()
    after, said = os.times(), complaints.read_text(errors="replace")
    cpu = after.children_user - before.children_user + after.children_system
    return {
        "status": status,
        "traceback": "Traceback" in said or "Fatal Python error" in said,
        "said": said.strip()[-500:],
        "json": json.loads(output.read_text() or "{}"),
        "seconds": time.perf_counter() - started,
        "cpu": cpu - before.children_system,
        "peak": peak / 1e6,
    }


def links_to_all(folder: Path, into: Path) -> Path:
    """A folder with a link ending in .png to each file."""
    into.mkdir()
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        (into / f"{number:06d}.png").symlink_to(path.resolve())
    return into


def reasons(project: Path) -> Counter[str]:
    """Code of the quarantine -> files."""
    import alworkbench

    with alworkbench.open_project(project) as workbench, workbench.session.store.read() as reader:
        return Counter(str(file.code) for file in reader.images.quarantined())


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("Name a folder of pictures: python -m tests.bench.pictures FOLDER")
    source = Path(sys.argv[1])
    figures = ("seconds", "seconds of CPU", "peak, MB", "status", "traceback")
    table = Table("command", *figures, box=None)
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for how in ("as it is", "every file"):
            project = folder / how.replace(" ", "-")
            place = source if how == "as it is" else links_to_all(source, folder / "links")
            init = [sys.executable, "-c", START, "init", str(project), "-c", "a", "-c", "b"]
            subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
            read = run(["import", str(place), "--follow-links"], project, folder)
            encoded = run(["encode", "--device", "cpu"], project, folder)
            for what, done in (("import", read), ("encode", encoded)):
                table.add_row(
                    f"{what}, {how}",
                    f"{done['seconds']:.1f}",
                    f"{done['cpu']:.1f}",
                    f"{done['peak']:.0f}",
                    str(done["status"]),
                    str(done["traceback"]),
                )
            counts = {k: v for k, v in read["json"].items() if isinstance(v, int) and v}
            console.print(f"{how}: {counts}; skipped {read['json'].get('skipped')}")
            console.print(
                f"  set aside: {dict(reasons(project))}; {read['said'] or 'no complaint'}"
            )
            about = {k: encoded["json"].get(k) for k in ("encoded", "quarantined", "reasons")}
            console.print(f"  encode: {about}; {encoded['said'] or 'no complaint'}")
    console.print(table)


if __name__ == "__main__":
    main()
