"""A collection as PNG files with a manifest, for `alworkbench import`.

FOLDER/manifest.csv      path, label, split, sha256; the label is empty if no class fits
FOLDER/classes.txt       the class names, for `alworkbench init --classes`
FOLDER/pool/00001.png    the file name does not show the class
FOLDER/test/0001.png
"""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import PIL.Image

from alworkbench.core.atomic_files import atomic_folder
from alworkbench.core.errors import FolderNotEmpty
from alworkbench.core.progress import Progress, silent
from alworkbench.datasets.labelled_images import POOL, TEST, Collection, CollectionImages


def write_images(
    collection: Collection, made: CollectionImages, folder: Path, progress: Progress = silent
) -> int:
    """Write all images into `folder`, which must be empty or new; return their number.

    The folder appears when it is complete. Raises FolderNotEmpty.
    """
    folder = folder.absolute()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FolderNotEmpty(folder, "images")
    names = [label.name for label in collection.card.classes]
    total, done = len(made.pool) + len(made.test), 0
    with atomic_folder(folder) as draft:
        with (draft / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(("path", "label", "split", "sha256"))
            for split, part in ((POOL, made.pool), (TEST, made.test)):
                (draft / split).mkdir()
                digits = len(str(len(part)))
                for number, (image, label) in enumerate(
                    zip(part.images, part.labels.tolist(), strict=True), 1
                ):
                    path = f"{split}/{number:0{digits}d}.png"
                    buffer = io.BytesIO()
                    PIL.Image.fromarray(image).save(buffer, "PNG")
                    (draft / path).write_bytes(buffer.getvalue())
                    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
                    rows.writerow((path, names[label] if label >= 0 else "", split, digest))
                    done += 1
                    progress("writing images", done, total)
        (draft / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return total
