"""Renditions of 12-megapixel pictures: CPU, bytes, and how far they are from the full picture resized.

python -m tests.bench.renditions

Then the CPU of `import` beside that of all thumbnails, and the time to measure and bound a folder of 100,000
files. Pictures are made here: noise at all scales with edges, as the seed says. CPU is the smallest of three
runs, because others may use the machine; its load is printed.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from rich.console import Console
from rich.table import Table

from alworkbench.core.cache_folder import CacheFolder
from alworkbench.inputs.picture import content_hash, read_image
from alworkbench.inputs.rendition import SIDES, make_rendition, rendition_size

START = "import sys; from alworkbench.cli.main import main; sys.argv[0] = 'alworkbench'; main()"
WIDTH, HEIGHT = 4000, 3000
FILES = 20


def photo(width: int, height: int, seed: int) -> PIL.Image.Image:
    """Noise whose strength falls with its frequency, as in photographs, and some hard edges."""
    chance = np.random.default_rng(seed)
    made = np.zeros((height, width, 3), np.float32)
    cells = 2
    while cells <= max(width, height):
        size = (
            max(2, cells * width // max(width, height)),
            max(2, cells * height // max(width, height)),
        )
        noise = chance.normal(size=(size[1], size[0], 3)).astype(np.float32)
        for band in range(3):
            layer = PIL.Image.fromarray(noise[..., band])
            layer = layer.resize((width, height), PIL.Image.Resampling.BICUBIC)
            made[..., band] += np.asarray(layer) * cells**-0.35
        cells *= 2
    made = (made - made.mean()) / made.std() * 50 + 120
    y, x = np.mgrid[0:height, 0:width]
    made[(x // 97 + y // 61) % 5 == 0] += 40
    return PIL.Image.fromarray(np.clip(made, 0, 255).astype(np.uint8))


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of CPU of the fastest of three runs, and what the work gives."""
    best, found = float("inf"), None
    for _ in range(3):
        began = time.process_time()
        found = work()
        best = min(best, time.process_time() - began)
    return 1e3 * best, found


def files_of(picture: PIL.Image.Image) -> dict[str, bytes]:
    """Kind of file -> its bytes."""
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    clear = picture.copy()
    clear.putalpha(PIL.Image.linear_gradient("L").resize(picture.size))
    kinds: dict[str, tuple[PIL.Image.Image, str, dict[str, Any]]] = {
        "JPEG": (picture, "JPEG", {"quality": 92}),
        "progressive JPEG": (picture, "JPEG", {"quality": 92, "progressive": True}),
        "JPEG, turned": (picture, "JPEG", {"quality": 92, "exif": turned}),
        "PNG": (picture, "PNG", {"compress_level": 1}),
        "PNG, transparent": (clear, "PNG", {"compress_level": 1}),
    }
    made = {}
    for name, (image, kind, options) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        made[name] = buffer.getvalue()
    return made


def on_white(data: bytes) -> np.ndarray:
    drawn = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGBA")
    white = PIL.Image.new("RGBA", drawn.size, "white")
    return np.asarray(PIL.Image.alpha_composite(white, drawn).convert("RGB")).astype(int)


def costs(console: Console) -> None:
    table = Table("file", "MB", "side", "pixels", "CPU, ms", "KB", "error, of 255", box=None)
    for name, data in files_of(photo(WIDTH, HEIGHT, 0)).items():
        console.print(f"  {name}: hash {cpu(lambda d=data: content_hash(d))[0]:.0f} ms")
        whole = read_image(data)
        for side in (*SIDES, None):
            milliseconds, (image, _) = cpu(lambda d=data, s=side: make_rendition(d, s))
            size = rendition_size(*whole.size, side)
            wanted = np.asarray(whole.resize(size, PIL.Image.Resampling.HAMMING)).astype(int)
            error = np.abs(on_white(image.data) - wanted).mean()
            table.add_row(
                name,
                f"{len(data) / 1e6:.1f}",
                str(side or "full"),
                f"{size[0]} x {size[1]}",
                f"{milliseconds:.0f}",
                f"{len(image.data) / 1e3:.0f}",
                f"{error:.2f}",
            )
    console.print(table)


def seconds_of_cpu(*words: str) -> float:
    """Seconds of CPU of one command and all processes that it starts."""
    before = os.times()
    subprocess.run([sys.executable, "-c", START, *words], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    )


def beside_import(console: Console, folder: Path) -> None:
    """The CPU of each command, less that of a command that does nothing."""
    photos, project = folder / "photos", str(folder / "project")
    photos.mkdir()
    picture = photo(WIDTH, HEIGHT, 1)
    for number in range(FILES):
        picture.putpixel((number, 0), (255, 0, 0))
        picture.save(photos / f"{number}.jpg", quality=92)
    seconds_of_cpu("init", project, "-c", "a", "-c", "b")
    start = seconds_of_cpu("status", "--project", project)
    for command in (("import", str(photos)), ("thumbnails", "--threads", "1")):
        spent = seconds_of_cpu(*command, "--project", project) - start
        console.print(
            f"  {command[0]}: {1e3 * spent / FILES:.0f} ms of CPU for each 12-megapixel JPEG"
        )


def large_folder(console: Console, folder: Path) -> None:
    cache = CacheFolder(folder / "cache", 100_000 * 1000)
    for number in range(100_000):
        path = cache.folder / f"{number % 256:02x}" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    milliseconds, _ = cpu(cache.tidy)
    console.print(f"  measuring a folder of 100,000 files: {milliseconds:.0f} ms of CPU")
    milliseconds, _ = cpu(lambda: [cache.get(f"{n % 256:02x}/{n}") for n in range(1000)])
    console.print(f"  reading one of them: {milliseconds / 1000:.3f} ms of CPU")


def main() -> None:
    console = Console(width=140)
    console.print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Pillow {PIL.__version__}"
    )
    costs(console)
    with tempfile.TemporaryDirectory() as name:
        beside_import(console, Path(name))
        large_folder(console, Path(name))
    console.print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
