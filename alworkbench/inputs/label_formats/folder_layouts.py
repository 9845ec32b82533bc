"""Which format a folder or file of another program has, by a look at its names and its beginning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.picture_trees import pictures_below

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Tables beside the pictures of a Hugging Face imagefolder, of which it takes one."""
DATA_NAMES = "data.yaml"
"""The names of the classes of a YOLO data set."""
_HEAD = 4096


def layout_of(path: Path) -> str | None:
    """The name of the format, or None for none of these. The most special one that fits is taken."""
    try:
        if path.is_dir():
            return _of_folder(path)
        if path.suffix.lower() == ".tar":
            return "webdataset"
        return _of_json(path) if path.suffix.lower() == ".json" else None
    except OSError:
        return None  # whoever reads it reports the error


def _of_folder(folder: Path) -> str | None:
    if any(folder.glob("*.tar")):
        return "webdataset"
    if (folder / "labels.json").is_file() or (folder / "samples.json").is_file():
        return "fiftyone"
    if next(metadata_files(folder), None) is not None:
        return "imagefolder"
    if (folder / DATA_NAMES).is_file():
        return "yolo"
    pictures = (next(pictures_below(each), None) for each in _folders_in(folder))
    try:
        found = any(each is not None for each in pictures)
    except InvalidTable:
        found = True  # there is a picture, and whoever reads it says what is wrong with it
    return "class-folders" if found else None


def metadata_files(folder: Path) -> Iterator[Path]:
    """The tables at the top and in the folders of splits."""
    for each in (folder, *_folders_in(folder)):
        yield from (each / name for name in METADATA if (each / name).is_file())


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))


def _of_json(path: Path) -> str | None:
    """Label Studio writes a list of tasks, COCO an object."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return {b"[": "label-studio", b"{": "coco"}.get(head)
