"""Makes the bundled sample: `python -m alworkbench.datasets.make_sample`.

The choice depends only on the seed and the published files: images are ordered by a hash of seed, part
and row, taken from the front, and named in a second order of this kind. An image whose pixels occur
elsewhere in Fashion-MNIST is never taken. So no picture occurs twice in the sample, and none occurs in
the training rows from 30,000 on, which the bundled model is trained on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from alworkbench.core.assets import SAMPLE_FOLDER
from alworkbench.core.atomic_files import atomic_path, write_atomically
from alworkbench.core.errors import UnreadableSource
from alworkbench.core.words import percent
from alworkbench.datasets.fashion_mnist import (
    CLASS_NAMES,
    DEFAULT_FOLDER,
    FashionMnist,
    load_fashion_mnist,
)
from alworkbench.datasets.sample import (
    BY_FREQUENCY,
    POOL,
    SAMPLE,
    TEMPLATES,
    TEST,
    UNKNOWN_TO_BUNDLED_MODEL,
    bundled_sample,
)

SEED = 0
POOL_ROWS = 30_000
"""The pool comes from the rows before this row."""
MAX_ARCHIVE_BYTES = 3_000_000

LICENCE_TEXT = """\
Fashion-MNIST
Copyright (c) 2017 Zalando SE, https://tech.zalando.com
Licence: MIT (Expat)

Permission is hereby granted, free of charge, to any person obtaining a
copy of this software and associated documentation files (the "Software"),
to deal in the Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, sublicense,
and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included
in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS
OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One picture of the sample. Its path does not show its class."""

    path: str
    class_name: str
    part: str
    png: bytes

    @property
    def hash(self) -> str:
        """SHA-256 of the PNG file."""
        return hashlib.sha256(self.png).hexdigest()


def choose(data: FashionMnist, seed: int) -> list[SampleFile]:
    """The pictures of both parts, pool first, each part in shuffled order."""
    train = [image.tobytes() for image in data.train_images]
    test = [image.tobytes() for image in data.test_images]
    seen = Counter(train)
    seen.update(test)
    chosen: list[SampleFile] = []
    for part, images, labels, rows in (
        (POOL, data.train_images, data.train_labels, POOL_ROWS),
        (TEST, data.test_images, data.test_labels, len(data.test_images)),
    ):
        wanted = Counter(SAMPLE.sizes[part])
        digits = len(str(wanted.total()))
        pixels = train if part == POOL else test
        taken: list[int] = []
        for row in _shuffled(range(rows), f"{seed}/{part}/take"):
            class_name = CLASS_NAMES[labels[row]]
            if wanted[class_name] and seen[pixels[row]] == 1:
                wanted[class_name] -= 1
                taken.append(row)
        if wanted.total():
            raise UnreadableSource(
                f"Fashion-MNIST has too few different images for the {part} part of the sample: "
                f"{dict(+wanted)} are lacking."
            )
        # Rare classes are complete first; a second shuffle hides that in the file names.
        for number, row in enumerate(_shuffled(taken, f"{seed}/{part}/name"), 1):
            path = f"{part}/{number:0{digits}d}.png"
            png = encode_png(images[row])
            chosen.append(SampleFile(path, CLASS_NAMES[labels[row]], part, png))
    return chosen


def _shuffled(rows: Iterable[int], salt: str) -> list[int]:
    """The same order on every machine and with every version of every library."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{salt}/{row}".encode()).digest())


def encode_png(image: UInt8[np.ndarray, "H W"]) -> bytes:
    """The grey picture as a small PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_archive(files: Sequence[SampleFile], target: Path) -> None:
    """A zip with manifest, licence and pictures; the same pictures give the same bytes."""
    manifest = io.StringIO()
    writer = csv.writer(manifest, lineterminator="\n")
    writer.writerow(("path", "label", "split", "sha256"))
    writer.writerows((file.path, file.class_name, file.part, file.hash) for file in files)
    with atomic_path(target) as draft, zipfile.ZipFile(draft, "w") as archive:
        _add(archive, "manifest.csv", manifest.getvalue().encode(), zipfile.ZIP_DEFLATED)
        _add(archive, "LICENSE.txt", LICENCE_TEXT.encode(), zipfile.ZIP_DEFLATED)
        for file in files:  # a PNG is compressed already
            _add(archive, file.path, file.png, zipfile.ZIP_STORED)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # Unix, on every machine
    info.external_attr = 0o644 << 16
    archive.writestr(info, data, compression, compresslevel=9)


def card(seed: int, archive: Path) -> str:
    """The text of CARD.md; its figures are computed from the sample."""
    pool, test = SAMPLE.sizes[POOL], SAMPLE.sizes[TEST]
    rows = "\n".join(
        f"| {rank} | {name} | {pool[name]} | {test[name]} | "
        f"{'no' if name in UNKNOWN_TO_BUNDLED_MODEL else 'yes'} |"
        for rank, name in enumerate(BY_FREQUENCY, 1)
    )
    unknown = sum(pool[name] for name in UNKNOWN_TO_BUNDLED_MODEL)
    pool_images, test_images = SAMPLE.images(POOL), SAMPLE.images(TEST)
    ranks = ", ".join(
        str(r) for r in sorted(BY_FREQUENCY.index(n) + 1 for n in UNKNOWN_TO_BUNDLED_MODEL)
    )
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return f"""\
# {SAMPLE.name}

{SAMPLE.purpose}.
{pool_images:,} pictures in the pool and {test_images:,} in the test part:
28 x 28 pixels, grey, one piece of clothing each, white on black, as PNG files.

- Source: {SAMPLE.source}.
- Licence: {SAMPLE.licence}.
- Role: {SAMPLE.role}. Recipes may be chosen on it, so final tables need other data.
- Chosen with seed {seed} by `python -m alworkbench.datasets.make_sample`. File names are numbers
  in shuffled order and say nothing of the class.
- Prompt templates: {", ".join(f"`{template}`" for template in TEMPLATES)}.

## Classes

The pool has a long tail: class sizes in geometric progression, the largest {SAMPLE.imbalance:.1f}
times the smallest. The test part is balanced. The bundled model never saw four of the classes in
its training ({unknown} pool images, {percent(unknown / pool_images)}); they stand on the ranks {ranks}.

| rank | class | pool | test | known to the bundled model |
|---|---|---|---|---|
{rows}
| | all | {pool_images} | {test_images} | |

## Limits

- No picture occurs twice in the sample, and none of it occurs in rows {POOL_ROWS:,} to 59,999 of
  the training files, which the bundled model was trained on.
- Labels are the published ones, errors included. Shirt, T-shirt, pullover and coat are hard to tell
  apart at this size for people too.
- Catalogue pictures of one shop: they say nothing about photographs from elsewhere.

`{archive.name}`: {archive.stat().st_size:,} bytes, SHA-256 `{digest}`.
`manifest.csv` in it lists path, label, split and SHA-256 of each picture.
"""


def make_sample(data: FashionMnist, folder: Path = SAMPLE_FOLDER, seed: int = SEED) -> Path:
    """Write archive, licence and card into `folder`; return the archive."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / bundled_sample().name
    write_archive(choose(data, seed), archive)
    if archive.stat().st_size > MAX_ARCHIVE_BYTES:
        raise AssertionError(f"the sample has {archive.stat().st_size} bytes, too many to bundle")
    write_atomically(folder / "LICENSE-Fashion-MNIST.txt", LICENCE_TEXT.encode())
    write_atomically(folder / "CARD.md", card(seed, archive).encode())
    return archive


def main() -> None:
    """Make the bundled sample: `python -m alworkbench.datasets.make_sample`."""
    parser = argparse.ArgumentParser(description="Make the bundled sample from Fashion-MNIST.")
    parser.add_argument("--fashion-mnist", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER")
    parser.add_argument("--into", type=Path, default=SAMPLE_FOLDER, metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    make_sample(load_fashion_mnist(options.fashion_mnist), options.into, options.seed)


if __name__ == "__main__":
    main()
