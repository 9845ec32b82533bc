"""Pictures in an export: copied or linked, each once, and only while it is the one that was labelled."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.label_formats.class_folder_names import picture_name
from alworkbench.inputs.label_formats.protocol import Export
from alworkbench.inputs.picture import HASH_CHUNK


def refuse_used(target: Path) -> None:
    """Refuse a target that is a file, or a folder with something in it. Raises InvalidLabelFile."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        what = "is a folder that holds files already" if target.is_dir() else "is a file"
        raise InvalidLabelFile(
            f"{target} {what}. Nothing was written. Name a new folder: an export does not mix with others."
        )


def common_folder(files: Iterable[Path]) -> Path:
    """The folder that all of these files lie below; the root for no file."""
    parents = {file.resolve().parent for file in files}
    return Path(os.path.commonpath(parents)) if parents else Path("/")


class PlacedPictures:
    """Puts the pictures of an export into folders of a draft."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._names: dict[str, str | None] = {}
        self._lost: dict[str, str] = {}

    @property
    def count(self) -> int:
        """Pictures that were put into the export."""
        return sum(name is not None for name in self._names.values())

    @property
    def lost(self) -> tuple[str, ...]:
        """Images (their paths in the project) that no file holds any more."""
        return tuple(self._lost.values())

    def knows(self, content: str) -> bool:
        """Whether the picture with this content hash was put, or found to be lost."""
        return content in self._names

    def has(self, content: str) -> bool:
        """Whether the picture with this content hash is in the export."""
        return self._names.get(content) is not None

    def put(self, row: Mapping[str, Any], folder: Path) -> str | None:
        """Put the picture of a record into the folder. Its name there, or None if it is lost."""
        content, image = row["hash"], row["image"] or row["hash"]
        file = self._export.picture(content)
        name = None
        if file is not None:
            name = picture_name(image, content, file)
            folder.mkdir(parents=True, exist_ok=True)
            if self._export.place == "link":
                (folder / name).symlink_to(file.resolve())
            elif not _copied(file, folder / name, content):
                name = None
        self._names[content] = name
        if name is None:
            self._lost[content] = image
        return name


def _copied(file: Path, target: Path, content: str) -> bool:
    """Copy a file; False, and no copy, if its bytes do not have this SHA-256 (any more) or cannot be read."""
    digest = hashlib.sha256()
    try:
        source = file.open("rb")
    except OSError:
        return False
    with source, target.open("xb") as copy:
        while chunk := source.read(HASH_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    if digest.hexdigest() == content:
        return True
    target.unlink()
    return False
