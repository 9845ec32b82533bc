"""What bounds encoding, decoding or the tower: `python -m tests.bench.encoding [DEVICE] [IMAGES]`.

JPEGs of 500 x 375 pixels (noise of all scales, quality 90; 1,000 of them), encoded by the bundled model and
by a ViT-B-32 with weights drawn at random: with threads, with as many decoding processes as pay for
themselves, and with one for each processor. Images a second, and the share of the seconds in which the tower
waited for pictures: the slower side is waited for. Without a device, the CPU, where the two share the
processors.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import EncoderRecord
from alworkbench.core.worker_process import cores
from alworkbench.features.encode import encode_images
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.picture import hash_file
from tests.bench.device import encoder

SIZE = (500, 375)
NAMES = ("bundled", "ViT-B-32")


def make_pictures(folder: Path, images: int) -> list[tuple[str, Path]]:
    """Pictures as detailed as photographs: noise of all scales."""
    chance = np.random.default_rng(0)
    made = []
    for number in range(images):
        total = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
        for part in (8, 32, 128, 512):
            noise = chance.integers(0, 64, (max(1, 375 * part // 512), part, 3), dtype=np.uint8)
            total += np.asarray(PIL.Image.fromarray(noise).resize(SIZE))
        place = folder / f"{number}.jpg"
        PIL.Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(place, quality=90)
        made.append((hash_file(place), place))
    return made


def main() -> None:
    device = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
    images = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    table = Table(
        title=f"{images:,} JPEGs of {SIZE[0]} x {SIZE[1]}, {device}, {cores()} processors, "
        f"load {os.getloadavg()[0]:.1f}",
        title_justify="left",
        box=None,
    )
    for heading in ("model", "decoding processes", "images/s", "waited, %", "what bounds"):
        table.add_column(heading)
    with tempfile.TemporaryDirectory() as scratch:
        plan = make_pictures(Path(scratch), images)
        for name in NAMES:
            found = encoder(name, device)
            for asked in (0, None, cores()):
                store = FeatureStore(Path(scratch) / f"{name}-{asked}")
                store.describe(EncoderRecord(found.id, found.spec), found.head, {})
                done = encode_images(found, plan, store, workers=asked)
                share = (done.waited or 0.0) / done.seconds
                table.add_row(
                    name,
                    f"{done.workers or 'threads'}{' (chosen)' if asked is None else ''}",
                    f"{images / done.seconds:,.0f}",
                    f"{100 * share:.0f}",
                    "decoding" if share > 0.5 else "the tower",
                )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
