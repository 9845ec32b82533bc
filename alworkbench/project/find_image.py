"""Find an image by its path, the end of its path, or its content."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from alworkbench.core.domain import Image, Role
from alworkbench.core.errors import ImageNotFound
from alworkbench.core.ports import Reader
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes

_NEAR = 20
"""At most so many similar file names are compared with their folders."""


def find_image(reader: Reader, name: str) -> Image:
    """The image with this content hash, this path or end of a path, or the content of this file.

    Raises ImageNotFound, which names the most similar path of the project.
    """
    if len(name) == 64 and (found := reader.images.by_hash(name.lower())):
        return found
    if name and (found := reader.images.by_path(name)):
        return found
    file = Path(name)
    if name and file.is_file():
        if found := reader.images.by_path(file.resolve().as_posix()):
            return found
        with suppress(Undecodable):  # then it is no image that was ever imported
            if found := reader.images.by_hash(content_hash(read_bytes(file))):
                return found
    known = [path for role in Role for _, path in reader.images.hashes_and_paths(role)]
    raise ImageNotFound(name, nearest_path(name, known))


def nearest_path(name: str, known: Iterable[str]) -> str | None:
    """The known path with the most similar end, among those with a similar file name; None without one."""
    by_name: dict[str, list[str]] = {}
    for path in known:
        by_name.setdefault(path.rpartition("/")[2], []).append(path)
    parts = name.replace("\\", "/").strip("/").split("/")
    near = difflib.get_close_matches(parts[-1], by_name, n=_NEAR, cutoff=0.5)
    wanted = "/".join(parts)

    def similarity(path: str) -> float:
        tail = "/".join(path.split("/")[-len(parts) :])
        return difflib.SequenceMatcher(None, wanted, tail).ratio()

    return max((path for one in near for path in by_name[one]), key=similarity, default=None)
